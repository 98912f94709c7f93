//! Writes a tar archive with one file in it, byte for byte reproducible; it knows nothing of images.

const BLOCK: usize = 512;

/// A ustar archive with one regular file of mode 0644 that belongs to root and was changed in 1970.
/// `name` has at most 100 bytes; what is over is cut.
pub(super) fn single_file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = header(name, content.len()).to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    // Two empty blocks end an archive.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0_u8; BLOCK];
    put(&mut block, 0, &name.as_bytes()[..name.len().min(100)]);
    put(&mut block, 100, b"0000644\0");
    put(&mut block, 108, b"0000000\0");
    put(&mut block, 116, b"0000000\0");
    put(&mut block, 124, format!("{size:011o}\0").as_bytes());
    put(&mut block, 136, b"00000000000\0");
    put(&mut block, 156, b"0");
    put(&mut block, 257, b"ustar\x0000");
    // The checksum counts its own field as spaces.
    put(&mut block, 148, b"        ");
    let checksum: u32 = block.iter().copied().map(u32::from).sum();
    put(&mut block, 148, format!("{checksum:06o}\0 ").as_bytes());
    block
}

fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    block[at..at + bytes.len()].copy_from_slice(bytes);
}
