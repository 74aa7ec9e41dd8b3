//! Attributes of a call.

use super::Call;
use crate::{
    error::NodeFault,
    num,
    onnx::{proto, window},
};

impl Call<'_, '_> {
    fn attribute(&self, name: &str) -> Option<&proto::AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Integer attribute.
    pub(in crate::onnx) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |attribute| attribute.i)
    }

    /// Whether an integer attribute is not 0.
    pub(in crate::onnx) fn flag(&self, name: &str, default: bool) -> bool {
        self.int(name, i64::from(default)) != 0
    }

    /// An attribute of at least `least`.
    pub(in crate::onnx) fn size(&self, name: &'static str, default: i64, least: usize) -> Result<usize, NodeFault> {
        let value = self.int(name, default);
        num::index(value).filter(|&value| (least..=window::LIMIT).contains(&value)).ok_or_else(|| NodeFault::Value {
            name,
            value: value.to_string(),
            supported: "a size up to 2^24",
        })
    }

    /// Real attribute, which must be finite.
    pub(in crate::onnx) fn float(&self, name: &'static str, default: f32) -> Result<f32, NodeFault> {
        let value = self.attribute(name).map_or(default, |attribute| attribute.f);
        if value.is_nan() {
            return Err(NodeFault::Value { name, value: value.to_string(), supported: "a number" });
        }
        Ok(value)
    }

    /// List attribute.
    pub(in crate::onnx) fn ints(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|attribute| attribute.ints.clone())
    }

    /// List attribute of real numbers.
    pub(in crate::onnx) fn floats_attribute(&self, name: &str) -> Option<Vec<f32>> {
        self.attribute(name).map(|attribute| attribute.floats.clone())
    }

    /// Text attribute.
    pub(in crate::onnx) fn text(&self, name: &str, default: &str) -> String {
        self.attribute(name).map_or_else(|| default.to_owned(), |a| String::from_utf8_lossy(&a.s).into_owned())
    }

    /// List attribute of texts.
    pub(in crate::onnx) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list =
            |a: &proto::AttributeProto| a.strings.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect();
        self.attribute(name).map(list)
    }

    /// Whether an attribute is present.
    pub(in crate::onnx) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// An axis of a shape of rank `rank`, counted from the end if negative.
    pub(in crate::onnx) fn axis(&self, name: &'static str, value: i64, rank: usize) -> Result<usize, NodeFault> {
        let counted = if value < 0 { value.saturating_add(num::signed(rank)) } else { value };
        num::index(counted).filter(|&axis| axis < rank).ok_or_else(|| NodeFault::Value {
            name,
            value: value.to_string(),
            supported: "an axis or index of the operand",
        })
    }
}
