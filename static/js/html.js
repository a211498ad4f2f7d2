/** Parse what the server drew, without running anything in it. Only the server's own HTML comes here. */
export const parseHtml = (html) => new DOMParser().parseFromString(html, "text/html").body;
