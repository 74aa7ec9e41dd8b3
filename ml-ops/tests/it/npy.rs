//! The reader of `.npy` files.

use opml_ops::npy::{self, NpyError};
use opml_vm::{DType, Tensor};
use proptest::prelude::*;

fn array(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn types_and_shapes() {
    let read = npy::read(&array("|i1", "(2, 3)", &[1, 2, 255, 128, 0, 127])).unwrap();
    assert_eq!((read.shape(), read.dtype(), read.row()), (&[2, 3][..], Some(DType::I8), 3));
    assert_eq!(read.integers().unwrap(), [1, 2, -1, -128, 0, 127]);
    let read = npy::read(&array("<i4", "(1,)", &(-5i32).to_le_bytes())).unwrap();
    assert_eq!(read.integers().unwrap(), [-5]);
    let read = npy::read(&array("<f4", "()", &1.5f32.to_le_bytes())).unwrap();
    assert_eq!((read.floats(), read.integers(), read.dtype()), (Some(&[1.5][..]), None, None));
    let read = npy::read(&array("|u1", "(0, 9223372036854775807)", &[])).unwrap();
    assert!(read.integers().unwrap().is_empty());
}

#[test]
fn written_files_read_back() {
    for (dtype, values) in [
        (DType::U8, vec![0, 255]),
        (DType::I8, vec![-128, 127, 5]),
        (DType::I16, vec![-32768, 1]),
        (DType::I32, vec![i64::from(i32::MIN)]),
        (DType::I64, vec![i64::MIN, i64::MAX]),
        (DType::I64, vec![]),
    ] {
        let bytes = npy::write(&Tensor::from_values(dtype, &values).unwrap());
        let read = npy::read(&bytes).unwrap();
        assert_eq!((read.integers().unwrap(), read.dtype()), (values.as_slice(), Some(dtype)));
    }
}

#[test]
fn faults() {
    assert_eq!(npy::read(b"PNG"), Err(NpyError::Magic));
    assert_eq!(npy::read(b"\x93NUMPY\x09\x00"), Err(NpyError::Version(9)));
    assert_eq!(npy::read(b"\x93NUMPY\x01\x00\xff\xff"), Err(NpyError::Truncated));
    assert_eq!(npy::read(&array(">i4", "(1,)", &[0; 4])), Err(NpyError::Type(">i4".into())));
    let long = npy::read(&array("|u1", "(18446744073709551615, 16)", &[0; 4]));
    assert!(matches!(long, Err(NpyError::Size { actual: 4, needed: u64::MAX, .. })));
    assert!(matches!(npy::read(&array("|u1", "(3,)", &[0; 4])), Err(NpyError::Size { needed: 3, .. })));
    assert!(matches!(npy::read(&array("|u1", "(x,)", &[0; 4])), Err(NpyError::Header(_))));
    let text = String::from_utf8_lossy(&array("|u1", "(1,)", &[])).replace("False", "True ");
    assert!(npy::read(text.as_bytes()).is_err(), "not UTF-8 any more, or Fortran order");
}

proptest! {
    #[test]
    fn changed_headers_never_panic(place in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = array("<i2", "(2, 2)", &[0; 8]);
        let place = place.index(bytes.len());
        bytes[place] = value;
        let _ = npy::read(&bytes);
    }
}
