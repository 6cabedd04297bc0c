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

    def test_a_column_is_numbers_only_where_python_writes_each_of_them_so(self):
        for cells, read in (
            (["007", "010"], ["007", "010"]),
            (["1E5", "1e5"], ["1E5", "1e5"]),
            (["1", "2.50"], ["1", "2.50"]),
            (["+1", " 2"], ["+1", " 2"]),
            (["1_000", "٣"], ["1_000", "٣"]),
            (["-0", "true"], ["-0", "true"]),
            (["18446744073709551616", "1"], ["18446744073709551616", "1"]),
            (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
            (["1" * 5000, "0"], ["1" * 5000, "0"]),
            (["7", "-1"], [7, -1]),
            (["18446744073709551615", "9"], [2**64 - 1, 9]),
            (["1", "2.5"], [1.0, 2.5]),
            (["1e-05", "inf"], [0.00001, float("inf")]),
            (["1e+08", "0.1"], [100_000_000.0, 0.1]),
            (["True", "False"], [True, False]),
        ):
            table = formats.read_released(io.BytesIO(("a\n" + "\n".join(cells) + "\n").encode()), "csv")
            with self.subTest(cells):
                self.assertEqual(table["a"].tolist(), read)
                self.assertEqual(list(map(type, table["a"].tolist())), list(map(type, read)))
        missing = formats.read_released(io.BytesIO(b'a,b\n9007199254740993,\n,"1"\n'), "csv")
        self.assertEqual((missing["a"][0], missing["b"][1]), ("9007199254740993", 1.0))

    def test_a_first_column_without_a_name_is_the_index(self):
        read = formats.read_released(io.BytesIO(b",a,,a\n007,1,x,2\n010,3,y,4\n"), "csv")
        self.assertEqual((read.index.tolist(), read.index.name, list(read.columns)), (["007", "010"], None, ["a", "", "a"]))
        read = formats.read_released(io.BytesIO(b",,v\nx,1,0.5\nx,2,1.5\n"), "csv")
        self.assertEqual(read.loc[("x", 2), "v"], 1.5)
        self.assertEqual(formats.read_released(io.BytesIO(b'""\n'), "csv").shape, (0, 0))
        self.assertEqual(formats.read_released(io.BytesIO(b'a\n""\n'), "csv")["a"].isna().tolist(), [True])

    def test_a_pickle_in_an_array_is_not_opened(self):
        file = io.BytesIO()
        numpy.save(file, numpy.array([object()], dtype=object), allow_pickle=True)
        with self.assertRaises(ValueError):
            formats.read(io.BytesIO(file.getvalue()), "npy")


if __name__ == "__main__":
    unittest.main()
