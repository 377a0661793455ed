"""`toolfunnel eval`: how well the tools of a catalogue are found, measured on questions with known answers.

Laws: questions go through the routing that serves requests, conversation by conversation. What is wrong with a data set
is told before anything is measured; results are written when all of them are there.
"""


class EvaluationFailed(Exception):
    """It cannot be measured; the text has a line for each problem."""
