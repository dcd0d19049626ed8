"""Open-loop replay: a policy sees what was recorded; its chunks are compared with what was done.

Data flow::

    bag -> bag_observations -> policy (given from outside) -> Inference rows
    bag -> reference (chunks, commands or states) ----------^
    rows -> metrics, counterfactuals, ablations -> suggestions -> OpenLoopResult (JSON)
"""
