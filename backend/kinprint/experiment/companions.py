"""What a model's loader wants beside the weights: configuration and tokenizer, never code."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from kinprint.checkpoints.limits import READ_SPAN_BYTES
from kinprint.checkpoints.tensors import Span
from kinprint.checkpoints.write_safetensors import cannot_write
from kinprint.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from kinprint.checkpoints.tensors import Checkpoint, CheckpointFile

NAMES = frozenset(
    {
        "config.json",
        "generation_config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "spiece.model",
        "sentencepiece.bpe.model",
    }
)
"""The only files that are copied. None of them is ever run by a loader."""

COMPANION_BYTES = 128_000_000
"""A longer file is left out; tokenizers of 250,000 words have about 35 MB, most below 10."""


def companions_of(checkpoint: Checkpoint) -> tuple[CheckpointFile, ...]:
    """Return the files beside the weights that are to be copied with them, by name."""
    here = model_folder(checkpoint)
    return tuple(
        sorted(
            (
                file
                for file in checkpoint.others
                if posixpath.dirname(file.path) == here
                and posixpath.basename(file.path) in NAMES
                and file.size <= COMPANION_BYTES
            ),
            key=lambda file: file.path,
        )
    )


def model_folder(checkpoint: Checkpoint) -> str:
    """Return the folder, inside the checkpoint, that all its weight files lie in.

    Raises:
        UsageError: They lie in several, so that they are several models.
    """
    folders = sorted({posixpath.dirname(file.path) for file in checkpoint.files})
    if len(folders) > 1:
        raise UsageError(
            f"{checkpoint.origin.source!r} holds several models ({', '.join(folders[:5])})",
            hint="Download it and name the folder of one of them.",
        )
    return folders[0] if folders else ""


def copy_companions(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy a model's companions into a folder, byte for byte.

    Raises:
        CheckpointError: A file changed, or leaves its folder by a symlink.
        HubError: The Hub failed.
        KinprintError: The folder cannot be written to.
    """
    files = companions_of(checkpoint)
    pieces = [
        (file, Span(file.path, start, min(start + READ_SPAN_BYTES, file.size)))
        for file in files
        for start in range(0, max(file.size, 1), READ_SPAN_BYTES)
    ]
    read = checkpoint.read([span for _, span in pieces])
    for (file, _), content in zip(pieces, read, strict=True):
        # The name is one of the list above, so it cannot lead elsewhere.
        path = folder / posixpath.basename(file.path)
        try:
            with path.open("ab") as opened:
                opened.write(content)
        except OSError as error:
            raise cannot_write(path, error) from error
