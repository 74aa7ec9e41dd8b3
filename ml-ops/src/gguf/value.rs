//! Metadata: numbers, truth values, strings and lists of them.

use std::io::Read;

use super::{GgufError, cursor::Cursor};

/// Lists in lists that are read.
const MAX_NESTING: u32 = 4;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// u8, u16, u32, u64.
    Unsigned(u64),
    /// i8, i16, i32, i64.
    Signed(i64),
    /// f32, f64.
    Real(f64),
    /// A truth value.
    Bool(bool),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Self>),
}

impl Value {
    /// A number that is not negative.
    pub fn unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(n) => Some(*n),
            Self::Signed(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// An integer.
    pub fn signed(&self) -> Option<i64> {
        match self {
            Self::Unsigned(n) => i64::try_from(*n).ok(),
            Self::Signed(n) => Some(*n),
            _ => None,
        }
    }

    /// A real number.
    pub const fn real(&self) -> Option<f64> {
        if let Self::Real(x) = self { Some(*x) } else { None }
    }

    /// A truth value.
    pub const fn truth(&self) -> Option<bool> {
        if let Self::Bool(b) = self { Some(*b) } else { None }
    }

    /// A string.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A list.
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }
}

/// Reads the value of a key.
pub(super) fn read<R: Read>(cursor: &mut Cursor<R>, code: u32, key: &str) -> Result<Value, GgufError> {
    nested(cursor, code, key, 0)
}

fn nested<R: Read>(cursor: &mut Cursor<R>, code: u32, key: &str, depth: u32) -> Result<Value, GgufError> {
    Ok(match code {
        0 => Value::Unsigned(u8::from_le_bytes(cursor.array(key)?).into()),
        1 => Value::Signed(i8::from_le_bytes(cursor.array(key)?).into()),
        2 => Value::Unsigned(u16::from_le_bytes(cursor.array(key)?).into()),
        3 => Value::Signed(i16::from_le_bytes(cursor.array(key)?).into()),
        4 => Value::Unsigned(cursor.u32(key)?.into()),
        5 => Value::Signed(i32::from_le_bytes(cursor.array(key)?).into()),
        6 => Value::Real(f32::from_le_bytes(cursor.array(key)?).into()),
        7 => Value::Bool(cursor.array::<1>(key)? != [0]),
        8 => Value::Text(cursor.string(key)?),
        9 => {
            if depth == MAX_NESTING {
                return Err(GgufError::Nesting(key.to_owned()));
            }
            let code = cursor.u32(key)?;
            let count = cursor.count(key, 1)?;
            Value::List((0..count).map(|_| nested(cursor, code, key, depth + 1)).collect::<Result<_, _>>()?)
        }
        10 => Value::Unsigned(cursor.u64(key)?),
        11 => Value::Signed(i64::from_le_bytes(cursor.array(key)?)),
        12 => Value::Real(f64::from_le_bytes(cursor.array(key)?)),
        _ => return Err(GgufError::ValueType { key: key.to_owned(), code }),
    })
}
