"""An answer while it is produced."""

import re
import threading

from chatapp.assistants.answer_queue import Job
from chatapp.assistants.usage import Usage
from chatapp.concurrency.native import Interruption
from chatapp.files.attached import AttachedFile
from chatapp.files.upload_folder import Upload
from chatapp.timeline.metadata import Metadata

MAX_ANSWER_CHARS = 50_000

# PostgreSQL stores no NUL, and no encoding has lone surrogates; a model server may send both.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class RunningAnswer:
    """The content and the final state of an answer that a provider is producing.

    One thread appends, other threads read.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.content = ""
        self.state = "streaming"
        self.problem: str | None = None
        self.notice: str | None = None
        """What is missing from the answer. It is shown unless the answer ends with a problem of its own."""
        self.images = 0
        """The number of images that the model has sent, up to the first one beyond the limit."""
        self.uploads: tuple[Upload, ...] = ()
        """The complete uploads of its files, which belong to the asker."""
        self.usage: Usage | None = None
        """Set before the provider starts."""
        self.is_over = threading.Event()
        self.interruption = Interruption()
        """Ends what the provider waits for when the answer is over."""
        self._ending = threading.Lock()

    @property
    def metadata(self) -> Metadata | None:
        """The metadata of the answer as it is now; None if the provider has not started."""
        return self.usage.to_metadata(self.content) if self.usage else None

    def append(self, text: str) -> None:
        """Add text. Replace what cannot be stored; end the answer when it gets too long."""
        self.content += _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
        if len(self.content) > MAX_ANSWER_CHARS:
            self.content = self.content[:MAX_ANSWER_CHARS]
            self.end("stopped", "The answer was cut off because it is too long.")

    @property
    def files(self) -> tuple[AttachedFile, ...]:
        """The files of the answer."""
        return tuple(upload.file for upload in self.uploads if upload.file)

    def attach(self, upload: Upload) -> bool:
        """Add a file. Return False if the answer is over: it may be stored already."""
        with self._ending:
            if self.is_over.is_set():
                return False
            self.uploads = (*self.uploads, upload)
            return True

    def end(self, state: str, problem: str | None = None) -> None:
        """Set the final state. Only the first call has an effect."""
        with self._ending:
            if not self.is_over.is_set():
                self.state, self.problem = state, problem or self.notice
                self.is_over.set()
                self.interruption.set()
