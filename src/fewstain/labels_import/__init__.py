"""`fewstain import`: labels drawn elsewhere become label files of a dataset."""

from fewstain.labels_import.run import Imported, import_labels

__all__ = ["Imported", "import_labels"]
