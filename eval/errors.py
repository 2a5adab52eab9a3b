import rag.errors
import tuning.errors


class InputError(rag.errors.InputError, tuning.errors.InputError):
    """What the user gave cannot be used. The message is one sentence that names the place and the remedy.

    It is one of both packages too, which call back here: their pages show "the models are still loading" as it is.
    Commands print it and exit with status 2; pages show it as it is.
    """


USER_ERRORS = (InputError, rag.errors.InputError, tuning.errors.InputError)
"""Every error whose message is meant for the user."""
