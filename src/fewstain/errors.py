"""The one exception that means: the user's input is at fault; and a remedy that many messages name."""


class UserError(Exception):
    """The input, not the program, is at fault; `fewstain` prints the message and exits with 2.

    The message names the file, what is wrong with it, and the remedy.
    """


class TrainingError(UserError):
    """A training that fails by itself, as one whose loss is no longer a number."""


def install_extra(extra: str) -> str:
    """Say how to install an extra of this package, for messages."""
    return f'pip install -c constraints.txt -e ".[{extra}]", in the folder and the environment of the project'
