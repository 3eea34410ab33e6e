//! The smallest shared object there is: no code, no data, only symbols whose values are addresses in this program.
//!
//! libasound looks its plugins up in files with `dlopen` and `dlsym`. It gets such a file, made in memory, and so ends
//! up in our own functions, which share everything with the rest of the program. (ELF-64, gABI chapters 4 and 5; an
//! absolute symbol is not relocated, glibc since 2.28.)

/// Length of an ELF-64 file header, and how much of our own the new one is modelled on.
pub(super) const HEADER_BYTES: usize = 64;

const PROGRAM_HEADER_BYTES: usize = 56;
const PROGRAM_HEADERS: usize = 3;
const SYMBOL_BYTES: usize = 24;
const DYNAMIC_BYTES: usize = 16;

/// Larger than any page, so that the segment is aligned on every machine.
const SEGMENT_ALIGNMENT: u64 = 0x1_0000;

const CLASS_64: u8 = 2;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_STACK: u32 = 0x6474_e551;
const READ_WRITE: u32 = 6;
const GLOBAL_NOTYPE: u8 = 1 << 4;
const SHN_ABS: u16 = 0xfff1;
const DT_NULL: u64 = 0;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;

/// Makes the file. `own_header` is this program's file header, from which byte order and machine are taken; `symbols`
/// are names and addresses. `None` if this program is not ELF-64.
pub(super) fn shared_object(own_header: &[u8; HEADER_BYTES], symbols: &[(&str, usize)]) -> Option<Vec<u8>> {
    let (ident, machine, flags) = (&own_header[..16], &own_header[18..20], &own_header[48..52]);
    if !ident.starts_with(b"\x7fELF") || ident[4] != CLASS_64 {
        return None;
    }
    let (symbol_table, strings) = tables(symbols);
    let hash = hash(symbols.len());
    let symbols_at = HEADER_BYTES + PROGRAM_HEADERS * PROGRAM_HEADER_BYTES;
    let hash_at = symbols_at + symbol_table.len();
    let strings_at = hash_at + hash.len();
    let dynamic_at = (strings_at + strings.len()).next_multiple_of(8);
    let dynamic = dynamic(symbols_at, hash_at, strings_at, strings.len());
    let end = dynamic_at + dynamic.len();

    let mut file = Vec::with_capacity(end);
    file.extend_from_slice(ident);
    file.extend(ET_DYN.to_ne_bytes());
    file.extend_from_slice(machine);
    file.extend(1_u32.to_ne_bytes()); // version
    file.extend([0, HEADER_BYTES as u64, 0].into_iter().flat_map(u64::to_ne_bytes)); // entry, program, sections
    file.extend_from_slice(flags);
    let sizes = [HEADER_BYTES, PROGRAM_HEADER_BYTES, PROGRAM_HEADERS, 0, 0, 0];
    file.extend(sizes.into_iter().flat_map(|size| (size as u16).to_ne_bytes()));
    file.extend(program_header(PT_LOAD, 0, end, SEGMENT_ALIGNMENT));
    file.extend(program_header(PT_DYNAMIC, dynamic_at, dynamic.len(), 8));
    file.extend(program_header(PT_GNU_STACK, 0, 0, 16)); // without it the loader makes stacks executable
    file.extend(symbol_table);
    file.extend(hash);
    file.extend(strings);
    file.resize(dynamic_at, 0);
    file.extend(dynamic);
    Some(file)
}

/// A segment that is where it is in the file. The loader relocates the dynamic section in place: it must be writable.
fn program_header(kind: u32, at: usize, bytes: usize, alignment: u64) -> impl Iterator<Item = u8> {
    let [at, bytes] = [at as u64, bytes as u64];
    let words = [kind, READ_WRITE].into_iter().flat_map(u32::to_ne_bytes);
    words.chain([at, at, at, bytes, bytes, alignment].into_iter().flat_map(u64::to_ne_bytes))
}

/// The symbol table, whose entry 0 is undefined, and its names.
fn tables(symbols: &[(&str, usize)]) -> (Vec<u8>, Vec<u8>) {
    let (mut table, mut strings) = (vec![0; SYMBOL_BYTES], vec![0]);
    for (name, address) in symbols {
        table.extend((strings.len() as u32).to_ne_bytes());
        table.extend([GLOBAL_NOTYPE, 0]);
        table.extend(SHN_ABS.to_ne_bytes());
        table.extend((*address as u64).to_ne_bytes());
        table.extend(0_u64.to_ne_bytes()); // size
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
    }
    (table, strings)
}

/// A hash table of one bucket, which chains all symbols.
fn hash(symbols: usize) -> Vec<u8> {
    let symbols = symbols as u32;
    let head = [1, symbols + 1, symbols.min(1), 0];
    let chain = (1..=symbols).map(|entry| if entry == symbols { 0 } else { entry + 1 });
    head.into_iter().chain(chain).flat_map(u32::to_ne_bytes).collect()
}

fn dynamic(symbols_at: usize, hash_at: usize, strings_at: usize, strings_bytes: usize) -> Vec<u8> {
    let entries = [
        (DT_HASH, hash_at),
        (DT_SYMTAB, symbols_at),
        (DT_STRTAB, strings_at),
        (DT_STRSZ, strings_bytes),
        (DT_SYMENT, SYMBOL_BYTES),
        (DT_NULL, 0),
    ];
    let bytes: Vec<u8> =
        entries.into_iter().flat_map(|(tag, value)| [tag, value as u64]).flat_map(u64::to_ne_bytes).collect();
    debug_assert_eq!(bytes.len(), entries.len() * DYNAMIC_BYTES);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', CLASS_64, 1, 1]);
        header[18] = 62;
        header
    }

    #[test]
    fn the_object_is_for_the_machine_that_made_it() {
        let file = shared_object(&header(), &[("one", 0x1234), ("two", 0x5678)]).unwrap();
        assert_eq!(file[..16], header()[..16]);
        assert_eq!(file[16..20], [3, 0, 62, 0]);
        assert!(file.windows(9).any(|window| window == b"\0one\0two\0"));
    }

    #[test]
    fn a_program_that_is_not_elf_64_gets_none() {
        let mut other = header();
        other[4] = 1;
        assert_eq!(shared_object(&other, &[]), None);
    }
}
