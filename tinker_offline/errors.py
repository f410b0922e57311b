"""What the service answers to a request that it will not do."""


class Refusal(Exception):
    """Becomes an HTTP error of this status; where work was already queued, a failed future: of category `server` if
    what it needed is gone by no doing of the client (410), else `user`."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
