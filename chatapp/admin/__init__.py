"""Pages for admins: the audit log, and all webhooks, share links and tokens of the installation."""
