//! Tells whether a file is a mount of its own, as Docker and Kubernetes' `subPath` make one.
//!
//! Such a mount keeps the file that it was made from: when the source outside is replaced by a rename,
//! nothing inside can see it, neither an event nor a read.

use std::path::Path;

/// The warning for the file at `path`, a real path, if it is its own mount.
pub(super) fn warning(path: &Path) -> Option<String> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    is_mount_point(&table, path.as_os_str().as_encoded_bytes()).then(|| {
        "is mounted as a single file: if the file outside is replaced by a rename, as most editors and \
         tools do, this process can never see it; mount its directory instead, or write it in place"
            .to_owned()
    })
}

/// The fifth field of each line is the mount point, with blanks as octal numbers.
fn is_mount_point(table: &[u8], path: &[u8]) -> bool {
    table
        .split(|&b| b == b'\n')
        .filter_map(|line| line.split(|&b| b == b' ').nth(4))
        .any(|point| point.len() >= path.len() && unescape(point) == path)
}

/// Undoes `\040` and the like.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) = (first, tail) {
            out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = tail;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_with_a_blank_is_found() {
        let table =
            b"22 27 0:21 / /proc rw - proc proc rw\n40 27 8:1 /x /etc/my\\040app.toml rw - ext4 d rw\n";
        assert!(is_mount_point(table, b"/etc/my app.toml"));
        assert!(!is_mount_point(table, b"/etc/my"));
    }
}
