//! PNG: the pixels, and nothing else of the file.

use std::io::Cursor;

use ::png::{BitDepth, ColorType, Decoder, Encoder, EncodingError, Limits, Transformations};

use super::FormatError;
use super::sink::Sink;

const PNG: &str = "a PNG image";

fn malformed(problem: impl std::fmt::Display) -> FormatError {
    FormatError::malformed(PNG, problem)
}

/// Decodes the image to eight bits a channel and encodes it again: palettes, text, times, colour profiles, further frames
/// and whatever follows the end are gone. The pixels may take at most four times `max` bytes, at which no image that a
/// page can show is stopped, and every bomb is. What is transparent is laid on white, as it is shown: see [`on_white`].
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
    pixels.truncate(image.buffer_size());
    let (color_type, pixels) = on_white(image.color_type, pixels);
    let mut encoder = Encoder::new(&mut *sink, image.width, image.height);
    encoder.set_color(color_type);
    encoder.set_depth(BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels)?;
        writer.finish()
    });
    written.map_err(|error| match error {
        EncodingError::IoError(error) => sink.failed(error),
        other => malformed(other),
    })
}

/// The picture as it is seen on a white page, without transparency: under a transparent pixel there is a colour that no viewer
/// draws, and three bytes of anything in it.
fn on_white(color_type: ColorType, pixels: Vec<u8>) -> (ColorType, Vec<u8>) {
    let (opaque, channels) = match color_type {
        ColorType::GrayscaleAlpha => (ColorType::Grayscale, 1),
        ColorType::Rgba => (ColorType::Rgb, 3),
        ColorType::Grayscale | ColorType::Rgb | ColorType::Indexed => return (color_type, pixels),
    };
    let mut seen = Vec::with_capacity(pixels.len() / (channels + 1) * channels);
    for pixel in pixels.chunks_exact(channels + 1) {
        let (colours, alpha) = pixel.split_at(channels);
        let alpha = alpha.first().map_or(255, |alpha| u32::from(*alpha));
        seen.extend(colours.iter().map(|colour| over_white(u32::from(*colour), alpha)));
    }
    (opaque, seen)
}

/// One channel laid on white, rounded. PNG, third edition, section 12.4.
fn over_white(colour: u32, alpha: u32) -> u8 {
    let mixed = (colour * alpha + 255 * (255 - alpha) + 127) / 255;
    u8::try_from(mixed).unwrap_or(u8::MAX)
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
    fn what_lies_under_transparent_pixels_does_not_survive() {
        for (color_type, pixels, seen) in [
            (
                ColorType::Rgba,
                &[9, 8, 7, 0, 10, 20, 30, 255, 0, 0, 0, 51][..],
                &[255, 255, 255, 10, 20, 30, 204, 204, 204][..],
            ),
            (ColorType::GrayscaleAlpha, &[9, 0, 8, 255, 7, 0], &[255, 8, 255]),
        ] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, 3, 1);
            encoder.set_color(color_type);
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(pixels).unwrap();
            writer.finish().unwrap();
            let written = again(&bytes, 1 << 20).unwrap();
            let mut reader = Decoder::new(Cursor::new(&written)).read_info().unwrap();
            let mut read = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut read).unwrap();
            assert_eq!(read, seen, "{color_type:?}");
            assert_eq!(
                again(&written, 1 << 20).unwrap(),
                written,
                "the same once it was written"
            );
        }
    }

    #[test]
    fn a_bomb_and_a_torn_image_are_refused() {
        assert!(again(&image(4000, 4000, None), 1 << 20).is_err());
        let whole = image(30, 20, None);
        assert!(again(&whole[..whole.len() / 2], 1 << 20).is_err());
        assert!(again(b"GIF89a", 1 << 20).is_err());
    }
}
