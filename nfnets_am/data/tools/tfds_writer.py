"""Writes encoded images as a prepared TFDS set, shard by shard; TFDS itself reads it back."""

from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import pathlib
from typing import NamedTuple

from nfnets_am.data import tensorflow


class Example(NamedTuple):
  """One record."""
  image: bytes
  label: int
  file_name: str


def write(folder: str | pathlib.Path, name: str, version: str, classes: int,
          splits: Mapping[str, Sequence[Sequence[Example]]], *, file_format: str = 'tfrecord'
          ) -> pathlib.Path:
  """Writes a set with the features of imagenet2012: image, label, file_name.

  Args:
    folder: what data.data_dir is to be.
    name: of the set, such as 'imagenet2012'.
    version: such as '5.1.0'.
    classes: K.
    splits: split -> shards -> records, kept in this order.
    file_format: 'tfrecord' or 'array_record'.

  Returns:
    The folder of this version.
  """
  tf, tfds = tensorflow.import_tensorflow(), tensorflow.import_tfds()
  path = pathlib.Path(folder) / name / version
  path.mkdir(parents=True, exist_ok=True)
  template = tfds.core.ShardedFileTemplate(
      data_dir=str(path), dataset_name=name, filetype_suffix=file_format,
      template='{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}')
  infos = []
  for split, shards in splits.items():
    size = 0
    for i, shard in enumerate(shards):
      file = path / f'{name}-{split}.{file_format}-{i:05d}-of-{len(shards):05d}'
      with contextlib.closing(_WRITERS[file_format](str(file))) as writer:
        for example in shard:
          record = _serialize(tf, example)
          size += len(record)
          writer.write(record)
    infos.append(tfds.core.SplitInfo(
        name=split, shard_lengths=[len(shard) for shard in shards], num_bytes=size,
        filename_template=template.replace(split=split)))
  features = tfds.features.FeaturesDict({
      'image': tfds.features.Image(shape=(None, None, 3), encoding_format='jpeg'),
      'label': tfds.features.ClassLabel(num_classes=classes),
      'file_name': tfds.features.Text()})
  tfds.folder_dataset.write_metadata(
      data_dir=str(path), features=features, split_infos=infos, filename_template=template,
      check_data=False, supervised_keys=('image', 'label'))
  return path


def _array_record_writer(path: str):
  from array_record.python import array_record_module
  return array_record_module.ArrayRecordWriter(path, 'group_size:1')


_WRITERS = {
    'tfrecord': lambda path: tensorflow.import_tensorflow().io.TFRecordWriter(path),
    'array_record': _array_record_writer,
}


def _serialize(tf, example: Example) -> bytes:
  strings = lambda value: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
  return tf.train.Example(features=tf.train.Features(feature={
      'image': strings(example.image), 'file_name': strings(example.file_name.encode()),
      'label': tf.train.Feature(int64_list=tf.train.Int64List(value=[example.label])),
  })).SerializeToString()
