//! Counts what evaluating may still take, in steps and in bytes; it must not know what either is spent on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ExpressionError;

/// What evaluating may take. Whoever evaluates several expressions for one request gives them one budget.
#[derive(Debug)]
pub struct Budget {
    steps: u64,
    bytes: u64,
    stop: Arc<AtomicBool>,
}

impl Budget {
    /// So many steps, and so many bytes of all that is made on the way.
    pub fn new(steps: u64, bytes: u64) -> Self {
        Self {
            steps,
            bytes,
            stop: Arc::default(),
        }
    }

    /// A switch that ends evaluating at the next step, for whoever keeps the time.
    pub fn stop_switch(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// Pays for work of so many steps, before it is done.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), ExpressionError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(ExpressionError::Exhausted("time"));
        }
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.steps = self
            .steps
            .checked_sub(steps)
            .ok_or(ExpressionError::Exhausted("steps"))?;
        Ok(())
    }

    /// Pays for memory, before it is taken. What is given back does not count.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes = self
            .bytes
            .checked_sub(bytes)
            .ok_or(ExpressionError::Exhausted("memory"))?;
        Ok(())
    }

    /// Pays for a text of so many bytes that is read through.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        self.spend(1 + bytes / 64)
    }

    /// Pays for what a function of the environment does with a text of so many bytes.
    pub(crate) fn pay_for(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        self.write(bytes.saturating_mul(4))
    }

    /// Pays for a text of so many bytes that is made.
    pub(super) fn write(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        self.read(bytes)?;
        self.take(bytes)
    }

    /// Pays for a list or map of so many elements that is made.
    pub(super) fn gather(&mut self, elements: usize) -> Result<(), ExpressionError> {
        self.spend(1 + elements)?;
        self.take(elements.saturating_mul(size_of::<super::Value>() * 2))
    }
}
