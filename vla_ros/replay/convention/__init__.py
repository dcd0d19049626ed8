"""Which action convention a recording has, from its states and actions alone.

Data flow::

    bag -> recording (states and actions with their times)
        -> state_layout (which numbers are a pose) or forward kinematics -> track (poses by time)
        -> candidates (motion that each convention would mean) -> fit (explained variance)
        -> search (the best of each) -> estimate: findings -> comparison with a policy's convention

Explained variance: the part of the squared measured motion that ``scale * action`` accounts for, on
blocks of the recording that the scale was not fitted on. 1 is all of it; 0 is no better than
standing still (for absolute actions: than the mean).

Sureness: the share of 400 resamplings of the blocks (bootstrap, seeded) in which this answer
explains more than every other one.
"""
