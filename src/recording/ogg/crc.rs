//! The page checksum of RFC 3533 6: CRC-32 of polynomial 0x04c11db7, not reflected, start and final value 0.

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 0x8000_0000 == 0 { value << 1 } else { (value << 1) ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// The checksum of `bytes` continued from `crc` (0 at the start).
#[must_use]
pub fn update(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, &byte| {
        let [top, ..] = crc.to_be_bytes();
        (crc << 8) ^ TABLE[usize::from(top ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_polynomial_is_right() {
        // The catalogue's CRC-32/MPEG-2 has the same polynomial and start 0xffffffff: "123456789" gives 0x0376e6e7.
        assert_eq!(super::update(0xffff_ffff, b"123456789"), 0x0376_e6e7);
    }
}
