"""The napari plugin: what to label, labeling, looking at results and mending them, and running the workflow.

Needs the extra `fewstain[napari]`; of the package the command line alone imports this one. What the widgets do is in
modules that know neither napari nor Qt (`drawn`, `corrections`, `session`, `review`, `study`, `layers`, `workflow`);
the widgets are thin over them.
"""
