"""The command line ``vla-ros``: one verb a module, each with ``add_arguments`` and ``run``."""
