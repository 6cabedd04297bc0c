//! PNG: the pixels, and nothing else of the file.

use std::io::Cursor;

use ::png::{BitDepth, Decoder, Encoder, EncodingError, Limits, Transformations};

use super::FormatError;
use super::sink::Sink;

const PNG: &str = "a PNG image";

fn malformed(problem: impl std::fmt::Display) -> FormatError {
    FormatError::malformed(PNG, problem)
}

/// Decodes the image to eight bits a channel and encodes it again: palettes, text, times, colour profiles, further frames
/// and whatever follows the end are gone. The pixels may take at most four times `max` bytes, at which no image that a
/// page can show is stopped, and every bomb is.
pub(super) fn write_again(bytes: &[u8], max: u64, sink: &mut Sink) -> Result<(), FormatError> {
    let pixels_max = usize::try_from(max.saturating_mul(4)).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: pixels_max });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(malformed)?;
    let size = reader.output_buffer_size().filter(|size| *size <= pixels_max);
    let size = size.ok_or_else(|| malformed(format!("its pixels take more than {pixels_max} bytes")))?;
    let mut pixels = vec![0; size];
    let image = reader.next_frame(&mut pixels).map_err(malformed)?;
    let mut encoder = Encoder::new(&mut *sink, image.width, image.height);
    encoder.set_color(image.color_type);
    encoder.set_depth(BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels[..image.buffer_size()])?;
        writer.finish()
    });
    written.map_err(|error| match error {
        EncodingError::IoError(error) => sink.failed(error),
        other => malformed(other),
    })
}

#[cfg(test)]
mod tests {
    use super::super::write_again as to_file;
    use super::*;
    use crate::domain::release::OutputFormat;

    fn image(width: u32, height: u32, text: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, width, height);
        encoder.set_color(::png::ColorType::Rgb);
        if let Some(text) = text {
            encoder
                .add_text_chunk("Comment".to_owned(), text.to_owned())
                .unwrap();
        }
        let mut writer = encoder.write_header().unwrap();
        writer
            .write_image_data(&vec![7; (width * height * 3) as usize])
            .unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn again(bytes: &[u8], max: u64) -> Result<Vec<u8>, FormatError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        to_file(OutputFormat::Png, bytes, &path, max)?;
        Ok(std::fs::read(path).unwrap())
    }

    #[test]
    fn text_and_what_follows_the_end_do_not_survive() {
        let mut hidden = image(3, 2, Some("the patient's name"));
        hidden.extend(b"and his address");
        let written = again(&hidden, 1 << 20).unwrap();
        let held = |needle: &[u8]| written.windows(needle.len()).any(|window| window == needle);
        assert!(!held(b"patient") && !held(b"tEXt") && !held(b"address"));
        assert_eq!(written, again(&image(3, 2, None), 1 << 20).unwrap());
        let mut reader = Decoder::new(Cursor::new(&written)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, vec![7; 18]);
    }

    #[test]
    fn a_bomb_and_a_torn_image_are_refused() {
        assert!(again(&image(4000, 4000, None), 1 << 20).is_err());
        let whole = image(30, 20, None);
        assert!(again(&whole[..whole.len() / 2], 1 << 20).is_err());
        assert!(again(b"GIF89a", 1 << 20).is_err());
    }
}
