"""The one exception that means: the user's input is at fault."""


class UserError(Exception):
    """The input, not the program, is at fault; `fewstain` prints the message and exits with 2.

    The message names the file, what is wrong with it, and the remedy.
    """
