//! Measures an expression the way Go does for its limits: levels of its syntax tree and products of its counts.

use super::class::Case;

/// What Go's limits need to know of a part of the expression.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The case of characters in a row; `None` for everything else. Go keeps such neighbours in one node.
    pub(super) literal: Option<Case>,
    /// Levels in Go's syntax tree.
    pub(super) height: u32,
    /// Levels that remain in the translation, where groups are no level.
    pub(super) depth: u32,
    /// The largest product of nested counts within.
    pub(super) repeats: u32,
    /// About how many states it takes once compiled, where every repetition is a copy.
    pub(super) weight: u64,
}

impl Shape {
    pub(super) fn leaf(literal: Option<Case>, weight: u64) -> Self {
        Self {
            literal,
            height: 1,
            depth: 1,
            repeats: 1,
            weight,
        }
    }

    /// This part inside a sequence, an alternation or a repetition.
    pub(super) fn one_level_up(self) -> Self {
        Self {
            literal: None,
            height: self.height + 1,
            depth: self.depth + 1,
            ..self
        }
    }

    /// This part inside a group that captures, which is a level for Go only.
    pub(super) fn captured(self) -> Self {
        Self {
            literal: None,
            height: self.height + 1,
            ..self
        }
    }
}

/// Parts side by side: a sequence, or the branches of an alternation.
#[derive(Default)]
struct Row {
    only: Option<Shape>,
    joined: Option<Shape>,
}

impl Row {
    fn add(&mut self, part: Shape) {
        let Some(before) = self.joined.or(self.only.take()) else {
            self.only = Some(part);
            return;
        };
        self.joined = Some(Shape {
            literal: part.literal,
            height: before.height.max(part.height),
            depth: before.depth.max(part.depth),
            repeats: before.repeats.max(part.repeats),
            weight: before.weight.saturating_add(part.weight),
        });
    }

    /// The last part grows by what is the same node for Go.
    fn join(&mut self, part: Shape) {
        if let Some(row) = self.joined.as_mut().or(self.only.as_mut()) {
            row.weight = row.weight.saturating_add(part.weight);
        }
    }

    fn last_literal(&self) -> Option<Case> {
        self.joined.or(self.only).and_then(|shape| shape.literal)
    }

    /// The row as one part; only two or more parts make a level of their own.
    fn finish(self) -> Shape {
        match (self.joined, self.only) {
            (Some(joined), _) => joined.one_level_up(),
            (None, Some(only)) => only,
            (None, None) => Shape::leaf(None, 0),
        }
    }
}

/// The last thing read, which a repetition would apply to; `start` is its place in the output.
#[derive(Clone, Copy)]
pub(super) struct Atom {
    pub(super) start: usize,
    pub(super) shape: Shape,
}

/// A group that is still open, or the whole expression.
#[derive(Default)]
pub(super) struct Group {
    branches: Row,
    sequence: Row,
    last: Option<Atom>,
}

impl Group {
    pub(super) fn push(&mut self, atom: Atom) {
        self.settle_last();
        self.last = Some(atom);
    }

    /// The last thing read in this branch, for a repetition to replace.
    pub(super) fn last_mut(&mut self) -> Option<&mut Atom> {
        self.last.as_mut()
    }

    fn settle_last(&mut self) {
        let Some(last) = self.last.take() else { return };
        let joins_its_neighbour = last.shape.literal.is_some() && self.sequence.last_literal() == last.shape.literal;
        match joins_its_neighbour {
            true => self.sequence.join(last.shape),
            false => self.sequence.add(last.shape),
        }
    }

    pub(super) fn end_branch(&mut self) {
        self.settle_last();
        self.branches.add(std::mem::take(&mut self.sequence).finish());
    }

    pub(super) fn finish(mut self) -> Shape {
        self.end_branch();
        self.branches.finish()
    }
}
