//! Elements in other places: takes, gathers.

use super::{Emit, signed};
use crate::{
    graph::{Encoding, Node, ValueId},
    lower::{self, LowerError, View},
    num,
};

impl Emit<'_> {
    /// A value, or a constant in the encoding of the node's result.
    fn moved(&mut self, node: &Node) -> Result<(View, Encoding), LowerError> {
        let id = node.inputs[0];
        if self.places[id.0].is_some() {
            return self.place(id);
        }
        let value = self.graph.value(id);
        if let Some(integers) = super::number::integers(value)
            && value.floats().is_none()
        {
            let dtype = lower::Builder::width(&integers);
            let view = self.builder.constant(dtype, &signed(&value.shape), &integers);
            return Ok((view, Encoding::integer(dtype)));
        }
        let to = self.encoding(node)?;
        let floats = value.floats().ok_or(LowerError::Layout("an operand has no elements"))?;
        let stored: Vec<i64> = floats.iter().map(|&v| to.stored(f64::from(v))).collect();
        Ok((self.builder.constant(to.dtype, &signed(&value.shape), &stored), to))
    }

    /// Integers that are indices.
    fn indices(&mut self, id: ValueId) -> Result<View, LowerError> {
        if self.places[id.0].is_none() {
            let value = self.graph.value(id);
            let integers = super::number::integers(value).ok_or(LowerError::Layout("indices must be integers"))?;
            return Ok(self.builder.constant(lower::Builder::width(&integers), &signed(&value.shape), &integers));
        }
        let (view, encoding) = self.place(id)?;
        if encoding.is_integer() { Ok(view) } else { Err(LowerError::Layout("indices must be integers")) }
    }

    /// The view with each of some axes in one part: as it is, or copied.
    pub(super) fn in_parts(&mut self, x: View, axes: impl IntoIterator<Item = usize>) -> Result<View, LowerError> {
        let simple = axes.into_iter().all(|axis| x.digit(axis).is_ok());
        if simple { Ok(x) } else { lower::copy(&mut self.builder, &x) }
    }

    /// Axes that count regularly become views; the others one instruction.
    pub(super) fn take(
        &mut self,
        node: &Node,
        axes: &[Option<Vec<Option<usize>>>],
        fill: f32,
    ) -> Result<(View, Encoding), LowerError> {
        let (x, encoding) = self.moved(node)?;
        let sources = |list: &Vec<Option<usize>>| list.iter().map(|s| s.map(num::signed)).collect::<Vec<Option<i64>>>();
        let mut left: Vec<Option<Vec<Option<i64>>>> = axes.iter().map(|list| list.as_ref().map(sources)).collect();
        let mut x = self.in_parts(x, (0..axes.len()).filter(|&axis| left[axis].is_some()))?;
        for (axis, list) in left.iter_mut().enumerate() {
            if let Some(view) = list.as_ref().and_then(|list| lower::take_axis(&x, axis, list)) {
                x = view;
                *list = None;
            }
        }
        if left.iter().all(Option::is_none) {
            return Ok((x, encoding));
        }
        let left: Vec<Option<&lower::Sources>> = left.iter().map(Option::as_deref).collect();
        let fill = encoding.stored(f64::from(fill));
        let view = match lower::take(&mut self.builder, &x, &left, fill) {
            Err(LowerError::Layout(_)) => {
                let x = lower::copy(&mut self.builder, &x)?;
                lower::take(&mut self.builder, &x, &left, fill)?
            }
            result => result?,
        };
        Ok((view, encoding))
    }

    pub(super) fn gather(&mut self, node: &Node, axis: usize) -> Result<(View, Encoding), LowerError> {
        let (x, encoding) = self.moved(node)?;
        let index = self.indices(node.inputs[1])?;
        let x = self.in_parts(x, [axis])?;
        Ok((lower::gather(&mut self.builder, &x, &index, axis)?, encoding))
    }

    pub(super) fn gather_elements(&mut self, node: &Node, axis: usize) -> Result<(View, Encoding), LowerError> {
        let (x, encoding) = self.moved(node)?;
        let index = self.indices(node.inputs[1])?;
        let rank = x.axes.len();
        let x = self.in_parts(x, 0..rank)?;
        let index = self.in_parts(index, 0..rank)?;
        Ok((lower::gather_elements(&mut self.builder, &x, &index, axis)?, encoding))
    }

    pub(super) fn gather_nd(&mut self, node: &Node, batch: usize) -> Result<(View, Encoding), LowerError> {
        let (x, encoding) = self.moved(node)?;
        let index = self.indices(node.inputs[1])?;
        let (rank, index_rank) = (x.axes.len(), index.axes.len());
        let x = self.in_parts(x, 0..rank)?;
        let index = self.in_parts(index, 0..index_rank)?;
        Ok((lower::gather_nd(&mut self.builder, &x, &index, batch)?, encoding))
    }
}
