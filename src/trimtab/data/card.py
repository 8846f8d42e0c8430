# SPDX-License-Identifier: Apache-2.0
"""Cards as Croissant JSON-LD, version 1.0 (MLCommons; https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from __future__ import annotations

from typing import Any, Final

from .catalogue import Dataset, File

_PLAIN: Final = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)

CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _PLAIN},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}

_TYPES: Final = {"string": "sc:Text", "integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean"}


def croissant(dataset: Dataset) -> dict[str, Any]:
    """The card, for a folder that holds the files under their names."""
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": dataset.name,
        "description": f"{dataset.description} {dataset.provenance}",
        "version": _semantic(dataset.version),
        "license": dataset.licence_url,
        "usageInfo": dataset.licence,
        "url": dataset.origin,
        "citeAs": dataset.citation,
        "creator": [{"@type": "sc:Person", "name": name} for name in dataset.creators],
        "datePublished": dataset.published,
        "distribution": [_file_object(file) for file in dataset.files],
        "recordSet": [_record_set(file) for file in dataset.files if file.columns],
    }


def _semantic(version: str) -> str:
    """Croissant wants three numbers: "1" goes out as "1.0.0"."""
    numbers = [*version.split("."), "0", "0"][:3]
    return ".".join(numbers) if all(number.isdigit() for number in numbers) else version


def _file_object(file: File) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "description": file.description,
        "contentSize": f"{file.size} B",
        "contentUrl": file.name,
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
        **({"sameAs": list(file.sources)} if file.sources else {}),
    }


def _record_set(file: File) -> dict[str, Any]:
    table = file.name.partition(".")[0]
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": file.description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{column.name}",
                "name": column.name,
                "description": column.description,
                "dataType": _TYPES[column.type],
                "source": {"fileObject": {"@id": file.name}, "extract": {"column": column.name}},
            }
            for column in file.columns
        ],
    }
