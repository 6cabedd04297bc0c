import io
import unittest

import numpy
import pandas

from poundlock import formats


class Reading(unittest.TestCase):
    def test_each_format_becomes_what_a_scientist_works_with(self):
        table = pandas.DataFrame({"a": [1, 2], "b": ["x", "ß"]})
        array = numpy.arange(6).reshape(2, 3)

        def written(write):
            file = io.BytesIO()
            write(file)
            return io.BytesIO(file.getvalue())

        pandas.testing.assert_frame_equal(formats.read(written(lambda f: table.to_csv(f, index=False)), "csv"), table)
        pandas.testing.assert_frame_equal(formats.read(written(table.to_parquet), "parquet"), table)
        pandas.testing.assert_frame_equal(formats.read(written(table.to_feather), "arrow"), table)
        numpy.testing.assert_array_equal(formats.read(written(lambda f: numpy.save(f, array)), "npy"), array)
        self.assertEqual(formats.read(io.BytesIO(b'{"mean": 1.5}'), "json"), {"mean": 1.5})
        self.assertEqual(formats.read(io.BytesIO("ß".encode()), "text"), "ß")
        self.assertEqual(formats.read(io.BytesIO(b"raw"), "raw"), b"raw")
        picture = formats.read(io.BytesIO(b"\x89PNG"), "png")
        self.assertEqual(picture._repr_png_(), b"\x89PNG")

    def test_a_pickle_in_an_array_is_not_opened(self):
        file = io.BytesIO()
        numpy.save(file, numpy.array([object()], dtype=object), allow_pickle=True)
        with self.assertRaises(ValueError):
            formats.read(io.BytesIO(file.getvalue()), "npy")


if __name__ == "__main__":
    unittest.main()
