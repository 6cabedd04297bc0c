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

    def test_words_of_a_released_table_stay_words(self):
        text = "group,mean,kept,left\nNone,1.5,True,NA\nNA,NA,,nan\n,2,False,None\n"
        table = formats.read_released(io.BytesIO(text.encode()), "csv")
        self.assertEqual(table["group"][:2].tolist(), ["None", "NA"])
        self.assertEqual(table["left"].tolist(), ["NA", "nan", "None"])
        self.assertEqual(table.isna().sum().tolist(), [1, 1, 1, 0])
        self.assertEqual(table["mean"].sum(), 3.5, "among numbers such a word is a missing one")
        self.assertEqual(table["kept"].tolist()[::2], [True, False])
        mock = formats.read(io.BytesIO(text.encode()), "csv")
        self.assertEqual(mock.isna().sum().tolist(), [3, 1, 1, 3], "as code on a node gets it")

    def test_a_pickle_in_an_array_is_not_opened(self):
        file = io.BytesIO()
        numpy.save(file, numpy.array([object()], dtype=object), allow_pickle=True)
        with self.assertRaises(ValueError):
            formats.read(io.BytesIO(file.getvalue()), "npy")


if __name__ == "__main__":
    unittest.main()
