//! What one array of one dimension has of another. Its single numbers say nothing; a run of them, in the order in which they stand, does.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use super::{Dtype, Header, PIECE, Scalar, malformed};
use crate::runtime::format::FormatError;

/// Runs of fewer elements are looked for in no array: what anybody might write down says nothing.
const RUN_MIN: u64 = 8;
/// Nor are longer ones: of an array that needs them nearly every element is the same.
const RUN_MAX: u64 = 1 << 20;
/// How likely it may be that two stretches of unlike arrays agree as far as a run goes. There are up to 2^33 places to look in for
/// each of 2^21 runs, so that even then it happens in one of millions of comparisons.
const CHANCE: f64 = 1.0 / (1_u128 << 80) as f64;
/// The most runs that are looked for, 16 bytes each and what a map takes beside. Longer arrays are cut into longer ones.
const RUNS_MAX: u64 = 1 << 21;
/// Elements that are looked at to tell how likely that is, in stretches from all over the array.
const LOOKED_AT: u64 = 1 << 16;
const STRETCHES: u64 = 64;
/// Runs are told apart by a polynomial over this prime, at a point that nobody knows.
const PRIME: u64 = (1 << 61) - 1;

/// Counts the elements of the mock that stand in runs that are in the private array, too; none unless both have one dimension.
/// Elements are compared by value, in whichever order of bytes and with whichever header they are written.
///
/// The mock is cut into runs, and each is looked for at every place of the private array, which is read once for all of them. How
/// long a run must be follows from how often two elements of the private array, or two steps from one to the next, are the same:
/// 8 elements of measurements, 80 of labels that are evenly 0 or 1; so chance plays no role, and what counts upwards or never
/// changes is in no run. What was shuffled, or rounded, is not found.
pub fn shared_elements(mock: &File, private: &File, key: &[u8; 32]) -> Result<u64, FormatError> {
    let (Some(mock), Some(private)) = (Line::open(mock)?, Line::open(private)?) else {
        return Ok(0);
    };
    let Some(run) = run_length(&private, key)? else {
        return Ok(0);
    };
    let run = run.max(mock.length.div_ceil(RUNS_MAX));
    if run > RUN_MAX || run > mock.length.min(private.length) {
        return Ok(0);
    }
    let mut runs = cut(&mock, run, key)?;
    let mut shared = 0;
    if runs.is_empty() {
        return Ok(shared);
    }
    let mut window = Window::new(run, key);
    private.each(0, private.length, |element| {
        window.take(private.mark(element, key));
        if let Some(told) = window.told() {
            // Counted once: the run is gone then.
            shared += runs.remove(&told).unwrap_or(0);
        }
    })?;
    Ok(shared)
}

/// Cuts the mock into runs: for each how many elements it stands for. Runs of one value only say nothing by themselves, and go with
/// one beside them; the last run ends where the array does, and stands for those that no other one has.
fn cut(mock: &Line, run: u64, key: &[u8; 32]) -> Result<HashMap<u64, u64>, FormatError> {
    let mut runs: HashMap<u64, u64> = HashMap::new();
    let mut window = Window::new(run, key);
    let (mut taken, mut pending, mut last) = (0, 0, None);
    mock.each(0, mock.length, |element| {
        window.take(mock.mark(element, key));
        taken += 1;
        let whole = taken % run == 0;
        if !whole && taken < mock.length || taken < run {
            return;
        }
        pending += if whole { run } else { taken % run };
        if window.is_of_one_value() {
            return;
        }
        if let Some(told) = window.told() {
            *runs.entry(told).or_default() += pending;
            (pending, last) = (0, Some(told));
        }
    })?;
    if let Some(last) = last
        && let Entry::Occupied(mut run) = runs.entry(last)
    {
        *run.get_mut() += pending;
    }
    Ok(runs)
}

/// How long a run of the array's elements must be to be there by no chance; none where it would be too long.
fn run_length(line: &Line, key: &[u8; 32]) -> Result<Option<u64>, FormatError> {
    let stretch = if line.length <= LOOKED_AT {
        line.length
    } else {
        LOOKED_AT / STRETCHES
    };
    let apart = if line.length <= LOOKED_AT {
        line.length
    } else {
        line.length / STRETCHES
    };
    let (mut values, mut steps) = (Repeats::default(), Repeats::default());
    let mut first = 0;
    while first + stretch <= line.length && stretch > 0 {
        let mut before: Option<Vec<u8>> = None;
        line.each(first, stretch, |element| {
            values.add(line.mark(element, key));
            if let Some(step) = before
                .as_deref()
                .and_then(|before| line.header.dtype.step(before, element))
            {
                steps.add(step);
            }
            before = Some(element.to_vec());
        })?;
        first += apart;
    }
    let same = values.rate().max(steps.rate());
    let (mut chance, mut length) = (1.0, 0);
    while length < RUN_MIN || chance > CHANCE {
        if length == RUN_MAX {
            return Ok(None);
        }
        chance *= same;
        length += 1;
    }
    Ok(Some(length))
}

/// How often each of some numbers was met.
#[derive(Default)]
struct Repeats {
    met: HashMap<u64, u32>,
    all: u32,
}

impl Repeats {
    fn add(&mut self, number: u64) {
        *self.met.entry(number).or_default() += 1;
        self.all += 1;
    }

    /// How likely two of them, taken at random, are the same.
    fn rate(&self) -> f64 {
        let pairs = |count: u32| f64::from(count) * (f64::from(count) - 1.0);
        if self.all < 2 {
            return 0.0;
        }
        self.met.values().map(|count| pairs(*count)).sum::<f64>() / pairs(self.all)
    }
}

/// An array of one dimension.
struct Line {
    file: File,
    header: Header,
    begins: u64,
    length: u64,
}

impl Line {
    /// None where it has another number of dimensions.
    fn open(file: &File) -> Result<Option<Self>, FormatError> {
        let failed = || FormatError::io("reading the array");
        let mut file = file.try_clone().map_err(failed())?;
        file.rewind().map_err(failed())?;
        let (header, begins) = Header::read(&mut file)?;
        let [length] = header.shape[..] else {
            return Ok(None);
        };
        let end = file.seek(SeekFrom::End(0)).map_err(failed())?;
        if begins
            .checked_add(header.data_length()?)
            .is_none_or(|needed| needed > end)
        {
            return Err(malformed("it ends before its last element"));
        }
        Ok(Some(Self {
            file,
            header,
            begins,
            length,
        }))
    }

    /// Gives so many elements from one on, little-endian.
    fn each(&self, first: u64, count: u64, mut each: impl FnMut(&[u8])) -> Result<(), FormatError> {
        let item = self.header.dtype.item_size();
        let at_once = (PIECE / item).max(1);
        let mut piece = vec![0; at_once * item];
        let mut at = first;
        while at < first + count {
            let here = usize::try_from(first + count - at).map_or(at_once, |left| left.min(at_once));
            let part = &mut piece[..here * item];
            let failed = FormatError::io("reading the array");
            self.file
                .read_exact_at(part, self.begins + at * item as u64)
                .map_err(failed)?;
            self.header.dtype.level(part);
            part.chunks_exact(item).for_each(&mut each);
            at += here as u64;
        }
        Ok(())
    }

    /// What stands for an element. Texts are the same however much room they are given.
    fn mark(&self, element: &[u8], key: &[u8; 32]) -> u64 {
        let text = matches!(self.header.dtype.scalar, Scalar::Character | Scalar::Byte);
        let padding = element
            .iter()
            .rev()
            .take_while(|byte| text && **byte == 0)
            .count();
        keyed(&element[..element.len() - padding], key)
    }
}

fn keyed(bytes: &[u8], key: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::keyed_hash(key, bytes).as_bytes()[..8]);
    u64::from_le_bytes(first) % PRIME
}

impl Dtype {
    /// How far it is from one number to the next; none where elements are no single numbers.
    fn step(&self, from: &[u8], to: &[u8]) -> Option<u64> {
        if self.count != 1 {
            return None;
        }
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let float = |bytes: &[u8]| match *bytes {
            [a, b, c, d] => Some(f64::from(f32::from_le_bytes([a, b, c, d]))),
            [a, b, c, d, e, f, g, h] => Some(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        };
        match self.scalar {
            Scalar::Integer | Scalar::Boolean => Some(number(to).wrapping_sub(number(from))),
            Scalar::Float => Some((float(to)? - float(from)?).to_bits()),
            Scalar::Character | Scalar::Byte => None,
        }
    }
}

/// The last elements that were taken, as many as a run has, and what tells them from others.
struct Window {
    run: usize,
    elements: VecDeque<u64>,
    told: u64,
    point: u64,
    /// What the first element of a run is multiplied by.
    highest: u64,
    /// How many of the last elements are the same.
    alike: usize,
}

impl Window {
    fn new(run: u64, key: &[u8; 32]) -> Self {
        let point = keyed(b"the point", key);
        Self {
            run: usize::try_from(run).unwrap_or(usize::MAX),
            elements: VecDeque::new(),
            told: 0,
            point,
            highest: (1..run).fold(1, |power, _| times(power, point)),
            alike: 0,
        }
    }

    fn take(&mut self, mark: u64) {
        let before = self.elements.back() == Some(&mark);
        self.alike = if before { self.alike + 1 } else { 1 };
        if self.elements.len() == self.run
            && let Some(first) = self.elements.pop_front()
        {
            self.told = (self.told + PRIME - times(first, self.highest)) % PRIME;
        }
        self.told = (times(self.told, self.point) + mark) % PRIME;
        self.elements.push_back(mark);
    }

    fn is_of_one_value(&self) -> bool {
        self.alike >= self.run
    }

    fn told(&self) -> Option<u64> {
        (self.elements.len() == self.run).then_some(self.told)
    }
}

fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other) % u128::from(PRIME);
    u64::try_from(product).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::header;
    use super::*;

    fn file(header: Vec<u8>, elements: impl Iterator<Item = Vec<u8>>) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&header).unwrap();
        file.write_all(&elements.flatten().collect::<Vec<_>>()).unwrap();
        file
    }

    fn floats(values: &[f64]) -> File {
        let bytes = values.iter().map(|value| value.to_le_bytes().to_vec());
        file(header("<f8", &[values.len() as u64]), bytes)
    }

    fn small(values: &[u8]) -> File {
        let bytes = values.iter().map(|value| vec![*value]);
        file(header("|u1", &[values.len() as u64]), bytes)
    }

    /// Numbers as if drawn at random, below `below`; `seed` makes others.
    fn drawn(seed: u64, count: u64, below: u64) -> Vec<u64> {
        let draw = |at: u64| keyed(&[seed.to_le_bytes(), at.to_le_bytes()].concat(), &[3; 32]) % below;
        (0..count).map(draw).collect()
    }

    fn bytes(seed: u64, count: u64, below: u64) -> Vec<u8> {
        let drawn = drawn(seed, count, below).into_iter();
        drawn.map(|value| u8::try_from(value).unwrap()).collect()
    }

    fn measured(seed: u64, count: u64) -> Vec<f64> {
        let drawn = drawn(seed, count, 1 << 40).into_iter();
        drawn.map(|value| value as f64 / 1e6).collect()
    }

    fn shared(mock: &File, private: &File) -> u64 {
        shared_elements(mock, private, &[7; 32]).unwrap()
    }

    #[test]
    fn a_part_of_the_array_is_found_wherever_it_stands() {
        let all = measured(1, 10_000);
        let private = floats(&all);
        for part in [&all[..5000], &all[..], &all[17..40], &all[9992..], &all[3..3003]] {
            assert_eq!(shared(&floats(part), &private), part.len() as u64);
        }
        let half = [&measured(2, 80)[..], &all[500..580]].concat();
        assert_eq!(shared(&floats(&half), &private), 80);
        assert_eq!(shared(&floats(&measured(2, 5000)), &private), 0);
        assert_eq!(
            shared(&floats(&all[..7]), &private),
            0,
            "too short to say anything"
        );
        let nine = measured(3, 9);
        assert_eq!(shared(&floats(&nine), &floats(&nine)), 9);
    }

    #[test]
    fn an_array_is_the_same_however_its_file_is_written() {
        let all = measured(1, 1000);
        let big = all.iter().map(|value| value.to_be_bytes().to_vec());
        let other = file(Header::bytes(">f8", true, &[1000]), big);
        assert_eq!(shared(&other, &floats(&all)), 1000);
        let texts = |room: usize| {
            let texts = drawn(1, 50, 1 << 40).into_iter();
            let padded = texts.map(move |value| {
                let mut text = value.to_string().into_bytes();
                text.resize(room, 0);
                text
            });
            file(header(&format!("|S{room}"), &[50]), padded)
        };
        assert_eq!(shared(&texts(20), &texts(31)), 50);
    }

    #[test]
    fn what_is_alike_by_chance_is_not_found() {
        for (below, enough) in [(2, 100), (5, 50), (90, 20)] {
            let all = bytes(1, 10_000, below);
            let private = small(&all);
            assert_eq!(shared(&small(&bytes(2, 5000, below)), &private), 0, "{below}");
            assert_eq!(
                shared(&small(&all[7..7 + enough]), &private),
                enough as u64,
                "{below}"
            );
            assert_eq!(shared(&small(&all[..10]), &private), 0, "{below}");
        }
        // Nine of ten are zero.
        let rare = |seed| {
            bytes(seed, 10_000, 10)
                .into_iter()
                .map(|value| u8::from(value == 0))
        };
        let (one, other): (Vec<u8>, Vec<u8>) = (rare(1).collect(), rare(2).collect());
        assert_eq!(shared(&small(&other), &small(&one)), 0);
        assert_eq!(shared(&small(&one[..5000]), &small(&one)), 5000);
        let constant = floats(&[1.5; 1000]);
        assert_eq!(shared(&constant, &constant), 0);
        let counted: Vec<f64> = (0..1000_u32).map(f64::from).collect();
        assert_eq!(shared(&floats(&counted[..500]), &floats(&counted)), 0);
    }

    #[test]
    fn what_never_changes_for_a_while_counts_with_what_is_beside_it() {
        let all = [&[0.0; 600][..], &measured(1, 400), &[0.0; 500]].concat();
        let shared = shared(&floats(&all), &floats(&all));
        assert_eq!(shared, 1500);
    }

    #[test]
    fn arrays_of_other_dimensions_and_cut_ones_are_none() {
        let all = measured(1, 100);
        let table = file(
            header("<f8", &[50, 2]),
            all.iter().map(|value| value.to_le_bytes().to_vec()),
        );
        assert_eq!(shared(&table, &floats(&all)), 0);
        assert_eq!(shared(&floats(&all), &table), 0);
        assert_eq!(shared(&floats(&[]), &floats(&[])), 0);
        let cut = file(header("<f8", &[1 << 40]), std::iter::once(vec![0; 80]));
        let refused = shared_elements(&cut, &floats(&all), &[7; 32]).unwrap_err();
        assert!(refused.to_string().contains("before its last element"));
    }
}
