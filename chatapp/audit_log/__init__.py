"""The audit log: security-relevant events, as rows that admins can read and as lines of the log.

A change calls `record` in its transaction, so that neither exists without the other.
"""

from chatapp.audit_log.kinds import AuditKind
from chatapp.audit_log.service import format_person, record, record_failed_sign_in

__all__ = ["AuditKind", "format_person", "record", "record_failed_sign_in"]
