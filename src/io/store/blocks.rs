//! Blocks: many small rows in one row of sled. sled remembers each of its nodes, and where every part of it lies in the
//! file, for as long as it is open; a node holds at most 16 rows, of which half are left after it was split. Every small
//! row by itself would take tens of megabytes for years of calls.
//!
//! ```text
//!   key of a block    0 for the first; 1 and the lowest key that belongs to it for every other
//!   value             rows in the order of their keys, each: key length u16, value length u32, key, value
//! ```
//! The key of a block stays while rows come and go; an empty block goes, and its keys belong to the one before it.

use super::{IndexError, trees::Row};
use std::io;

/// A block with more bytes is cut, unless it is a single row.
const MAX_BYTES: usize = 1_024;
/// The key of the first block of a tree.
pub(super) const FIRST: &[u8] = &[0];

/// The key of a block to which `lowest` and what follows belongs.
pub(super) fn key_from(lowest: &[u8]) -> Vec<u8> {
    [&[1], lowest].concat()
}

/// The rows of a block.
pub(super) fn unpack(mut block: &[u8]) -> Result<Vec<Row>, IndexError> {
    let mut rows = Vec::new();
    while !block.is_empty() {
        let (key, value) = split_row(&mut block).ok_or_else(torn)?;
        rows.push((key.to_vec(), value.to_vec()));
    }
    Ok(rows)
}

/// A block that ends within a row.
pub(super) fn torn() -> IndexError {
    IndexError::Io(io::ErrorKind::InvalidData.into())
}

/// Takes the first row off a block.
pub(super) fn split_row<'a>(block: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let key_bytes = u16::from_be_bytes(*block.split_off(..2)?.first_chunk()?);
    let value_bytes = u32::from_be_bytes(*block.split_off(..4)?.first_chunk()?);
    let key = block.split_off(..usize::from(key_bytes))?;
    let value = block.split_off(..usize::try_from(value_bytes).ok()?)?;
    Some((key, value))
}

/// Rows as one block, or as several if they are too many; `key` is that of the first. `grows` tells that the last row
/// is a new one: more will follow it, and the blocks before it are left full. Otherwise they are left of equal size.
pub(super) fn pack(key: &[u8], rows: &[Row], grows: bool) -> Vec<Row> {
    let bytes: usize = rows.iter().map(bytes_of).sum();
    let enough = if grows { MAX_BYTES } else { bytes.div_ceil(bytes.div_ceil(MAX_BYTES).max(1)) };
    let mut blocks: Vec<Row> = Vec::new();
    for row in rows {
        match blocks.last_mut() {
            Some((_, block)) if block.len() < enough && block.len() + bytes_of(row) <= MAX_BYTES => {
                put(block, row);
            }
            last => {
                let key = if last.is_none() { key.to_vec() } else { key_from(&row.0) };
                let mut block = Vec::with_capacity(enough);
                put(&mut block, row);
                blocks.push((key, block));
            }
        }
    }
    blocks
}

fn put(block: &mut Vec<u8>, (key, value): &Row) {
    debug_assert!(key.len() <= usize::from(u16::MAX), "keys are numbers and ids");
    block.extend_from_slice(&(key.len() as u16).to_be_bytes());
    block.extend_from_slice(&(value.len() as u32).to_be_bytes());
    block.extend_from_slice(key);
    block.extend_from_slice(value);
}

fn bytes_of((key, value): &Row) -> usize {
    6 + key.len() + value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(numbers: std::ops::Range<u64>) -> Vec<Row> {
        numbers.map(|number| (number.to_be_bytes().to_vec(), vec![7; 40])).collect()
    }

    fn all(blocks: &[Row]) -> Vec<Row> {
        blocks.iter().flat_map(|(_, block)| unpack(block).unwrap()).collect()
    }

    #[test]
    fn a_block_gives_back_its_rows() {
        for count in [0, 1, 5, 200] {
            let rows = rows(0..count);
            assert_eq!(all(&pack(FIRST, &rows, false)), rows);
            assert_eq!(all(&pack(FIRST, &rows, true)), rows);
        }
    }

    #[test]
    fn the_first_block_keeps_its_key_and_the_others_are_named_by_their_first_row() {
        let blocks = pack(FIRST, &rows(0..50), true);
        assert_eq!(blocks[0].0, FIRST);
        for (key, block) in &blocks[1..] {
            assert_eq!(*key, key_from(&unpack(block).unwrap()[0].0));
        }
    }

    #[test]
    fn a_block_at_the_end_is_left_full_and_one_in_the_middle_is_halved() {
        let sizes = |grows| -> Vec<usize> {
            pack(FIRST, &rows(0..19), grows).iter().map(|(_, block)| block.len()).collect()
        };
        assert_eq!(sizes(true), [972, 54]);
        assert_eq!(sizes(false), [540, 486]);
    }

    #[test]
    fn a_row_larger_than_a_block_has_one_of_its_own() {
        let large = vec![(vec![1], vec![0; 3 * MAX_BYTES]), (vec![2], Vec::new())];
        assert_eq!(pack(FIRST, &large, false).len(), 2);
        assert_eq!(all(&pack(FIRST, &large, false)), large);
    }

    #[test]
    fn a_torn_block_is_an_error() {
        let (_, block) = pack(FIRST, &rows(0..3), false).remove(0);
        for bytes in (1..block.len()).filter(|bytes| bytes % 54 != 0) {
            assert!(unpack(&block[..bytes]).is_err(), "{bytes}");
        }
    }
}
