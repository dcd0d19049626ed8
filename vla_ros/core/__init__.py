"""Everything between a policy's answer and a joint command: numpy only, time as an argument."""
