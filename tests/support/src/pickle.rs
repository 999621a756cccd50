//! PyTorch's checkpoint: a zip archive of a pickle, which names the tensors, and their data.

use crate::safetensors::FloatType;
use crate::tensor::{Layout, Tensor};
use crate::values::Values;
use std::io::{self, Write};

/// The folder in the archive, named so by `torch.save`.
const FOLDER: &str = "archive";

/// Writes a model as `torch.save({'global_step': …, 'state_dict': …})` does, tensor by tensor.
pub(crate) fn write(
    out: &mut impl Write,
    layout: &Layout,
    float_type: FloatType,
    seed: u64,
) -> io::Result<()> {
    let encoding = float_type.encoding();
    let mut archive = Archive { out, at: 0, directory: Vec::new(), entries: 0 };
    archive.entry("data.pkl", &pickle(layout, float_type)?)?;
    let mut values = Values::new(seed);
    let mut data = Vec::new();
    for (number, tensor) in layout.tensors().iter().enumerate() {
        data.clear();
        values.for_each_chunk(tensor, |chunk| {
            encoding.encode(chunk, &mut data);
            Ok(())
        })?;
        archive.entry(&format!("data/{number}"), &data)?;
    }
    archive.entry("version", b"3\n")?;
    archive.finish()
}

/// What the pickle says of the tensors; the number of each is the name of its data.
fn pickle(layout: &Layout, float_type: FloatType) -> io::Result<Vec<u8>> {
    let storage = match float_type {
        FloatType::F32 => "FloatStorage",
        FloatType::F16 => "HalfStorage",
    };
    let mut p = Pickle(vec![op::PROTO, 2]);
    p.op(op::EMPTY_DICT).op(op::MARK);
    p.text("global_step")?.int(1)?;
    p.text("state_dict")?.op(op::EMPTY_DICT).op(op::MARK);
    for (number, tensor) in layout.tensors().iter().enumerate() {
        p.text(&tensor.name)?;
        p.global("torch._utils", "_rebuild_tensor_v2").op(op::MARK);
        p.op(op::MARK).text("storage")?.global("torch", storage);
        p.text(&number.to_string())?.text("cpu")?.int(tensor.elements())?;
        p.op(op::TUPLE).op(op::BINPERSID);
        p.int(0)?.ints(&tensor.shape)?.ints(&strides(tensor))?.op(op::NEWFALSE);
        p.global("collections", "OrderedDict").op(op::EMPTY_TUPLE).op(op::REDUCE);
        p.op(op::TUPLE).op(op::REDUCE);
    }
    p.op(op::SETITEMS).op(op::SETITEMS).op(op::STOP);
    Ok(p.0)
}

/// How many values apart neighbours in each dimension are.
fn strides(tensor: &Tensor) -> Vec<usize> {
    let mut stride = 1;
    let from_last = tensor.shape.iter().rev().map(|&dimension| {
        let here = stride;
        stride *= dimension;
        here
    });
    let mut strides: Vec<_> = from_last.collect();
    strides.reverse();
    strides
}

/// The opcodes of protocol 2 that are used here.
mod op {
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const MARK: u8 = b'(';
    pub(super) const STOP: u8 = b'.';
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const SETITEMS: u8 = b'u';
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const TUPLE: u8 = b't';
    pub(super) const NEWFALSE: u8 = 0x89;
    pub(super) const BININT: u8 = b'J';
    pub(super) const BINUNICODE: u8 = b'X';
    pub(super) const GLOBAL: u8 = b'c';
    pub(super) const REDUCE: u8 = b'R';
    pub(super) const BINPERSID: u8 = b'Q';
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn op(&mut self, opcode: u8) -> &mut Self {
        self.0.push(opcode);
        self
    }

    fn int(&mut self, x: usize) -> io::Result<&mut Self> {
        let x = i32::try_from(x).map_err(|_| crate::invalid("too large for a pickle"))?;
        self.0.push(op::BININT);
        self.0.extend(x.to_le_bytes());
        Ok(self)
    }

    fn ints(&mut self, all: &[usize]) -> io::Result<&mut Self> {
        self.op(op::MARK);
        for &x in all {
            self.int(x)?;
        }
        Ok(self.op(op::TUPLE))
    }

    fn text(&mut self, x: &str) -> io::Result<&mut Self> {
        self.0.push(op::BINUNICODE);
        self.0.extend(u32_of(x.len())?.to_le_bytes());
        self.0.extend(x.as_bytes());
        Ok(self)
    }

    fn global(&mut self, module: &str, name: &str) -> &mut Self {
        self.0.push(op::GLOBAL);
        self.0.extend(format!("{module}\n{name}\n").as_bytes());
        self
    }
}

/// A zip archive in the making, all of whose entries are stored as they are.
struct Archive<'a, W> {
    out: &'a mut W,
    at: usize,
    directory: Vec<u8>,
    entries: u16,
}

impl<W: Write> Archive<'_, W> {
    fn entry(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        let name = format!("{FOLDER}/{name}");
        let length = u32_of(data.len())?.to_le_bytes();
        // What the header before the data and the directory behind all of it have in common.
        let mut common = Vec::new();
        for field in [20, 0, 0, 0, 0x21_u16] {
            // Version of the format, flags, method, time, and date: 1 January 1980.
            common.extend(field.to_le_bytes());
        }
        common.extend(crc32fast::hash(data).to_le_bytes());
        common.extend(length);
        common.extend(length);
        common.extend(u16_of(name.len())?.to_le_bytes());
        common.extend([0; 2]);

        self.directory.extend(b"PK\x01\x02\x14\0");
        self.directory.extend(&common);
        // No comment, the first disk, no attributes.
        self.directory.extend([0; 10]);
        self.directory.extend(u32_of(self.at)?.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries = u16_of(usize::from(self.entries) + 1)?;

        for part in [b"PK\x03\x04", common.as_slice(), name.as_bytes(), data] {
            self.out.write_all(part)?;
            self.at += part.len();
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.out.write_all(&self.directory)?;
        self.out.write_all(b"PK\x05\x06\0\0\0\0")?;
        for _ in ["on this disk", "in all"] {
            self.out.write_all(&self.entries.to_le_bytes())?;
        }
        self.out.write_all(&u32_of(self.directory.len())?.to_le_bytes())?;
        self.out.write_all(&u32_of(self.at)?.to_le_bytes())?;
        self.out.write_all(&[0; 2])
    }
}

fn u16_of(x: usize) -> io::Result<u16> {
    x.try_into().map_err(|_| crate::invalid("too large for a zip archive"))
}

fn u32_of(x: usize) -> io::Result<u32> {
    x.try_into().map_err(|_| crate::invalid("too large for a zip archive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Layout {
        let mut layout = Layout::default();
        layout.linear("linear", 6, 5);
        layout.conv("conv", 3, 4, 3);
        layout.norm("norm", 7);
        layout
    }

    fn number(bytes: &[u8], at: usize, len: usize) -> usize {
        bytes[at..at + len].iter().rev().fold(0, |all, &byte| all << 8 | usize::from(byte))
    }

    /// Names and data, found from the end of the archive as readers do.
    fn entries(bytes: &[u8]) -> Vec<(String, &[u8])> {
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let mut at = number(bytes, end + 16, 4);
        assert_eq!(at + number(bytes, end + 12, 4), end);
        let mut found = Vec::new();
        while at < end {
            assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
            let local = number(bytes, at + 42, 4);
            assert_eq!(&bytes[local..local + 4], b"PK\x03\x04");
            assert_eq!(bytes[local + 4..local + 30], bytes[at + 6..at + 32]);
            let (len, name_len) = (number(bytes, at + 24, 4), number(bytes, at + 28, 2));
            let name = &bytes[at + 46..at + 46 + name_len];
            let data = &bytes[local + 30 + name_len..][..len];
            assert_eq!(&bytes[local + 30..local + 30 + name_len], name);
            assert_eq!(number(bytes, at + 16, 4), crc32fast::hash(data) as usize);
            found.push((String::from_utf8(name.to_vec()).unwrap(), data));
            at += 46 + name_len;
        }
        assert_eq!(found.len(), number(bytes, end + 10, 2));
        found
    }

    #[test]
    fn holds_the_values_of_the_safetensors_file() {
        for float_type in [FloatType::F16, FloatType::F32] {
            let (mut pickled, mut plain) = (Vec::new(), Vec::new());
            write(&mut pickled, &sample(), float_type, 1).unwrap();
            crate::safetensors::write(&mut plain, &sample(), float_type, 1).unwrap();
            let entries = entries(&pickled);
            let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names[..2], ["archive/data.pkl", "archive/data/0"]);
            assert_eq!(names.len(), 1 + sample().tensors().len() + 1);
            let data: Vec<_> =
                entries[1..names.len() - 1].iter().flat_map(|(_, data)| data.to_vec()).collect();
            assert!(plain.ends_with(&data));
            assert_eq!(plain.len() - data.len(), 8 + number(&plain, 0, 8));
        }
    }

    #[test]
    fn strides_are_those_of_contiguous_tensors() {
        let layout = sample();
        let strides: Vec<_> = layout.tensors().iter().take(3).map(strides).collect();
        assert_eq!(strides, [vec![6, 1], vec![1], vec![27, 9, 3, 1]]);
    }
}
