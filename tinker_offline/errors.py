"""Define the error with which the service refuses a request."""


class Refusal(Exception):
    """Becomes an HTTP error of this status; for queued work, a failed future.

    The future's category is `server` if what it needed is gone without the client's doing (410), else `user`.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
