// The part of Turndown that is used here.

interface Rule {
  filter: string[] | ((node: HTMLElement) => boolean);
  replacement: (content: string, node: HTMLElement) => string;
}

export class Turndown {
  constructor(options: Record<string, unknown>);
  addRule(name: string, rule: Rule): void;
  remove(filter: string[]): void;
  turndown(html: string | HTMLElement): string;
}
