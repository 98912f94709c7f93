//! Carries out `{{range}}`: which values there are, and which names they get.

use super::{Branch, Execution, Stop, Value};
use crate::go::template::node::Naming;
use crate::go::template::print;

impl<'t> Execution<'t> {
    pub(super) fn range(&mut self, dot: &Value, branch: &'t Branch) -> Result<(), Stop> {
        let value = self.pipeline(dot, &branch.pipe)?;
        let seen = self.variables.len();
        let mut turns = 0usize;
        let mut turn = |execution: &mut Self, index: Value, element: &Value| {
            turns += 1;
            let done = execution.turn(branch, index, element);
            execution.variables.truncate(seen);
            done
        };
        let done = match &value {
            Value::Int(count) if branch.pipe.variables.len() > 1 => {
                Err(self.fail(format!("can't use {count} to iterate over more than one variable")))
            }
            Value::Byte(count) if branch.pipe.variables.len() > 1 => {
                Err(self.fail(format!("can't use {count} to iterate over more than one variable")))
            }
            Value::Int(count) => (0..*count).try_for_each(|number| turn(self, Value::Nil, &Value::Int(number))),
            Value::Byte(count) => (0..*count).try_for_each(|number| turn(self, Value::Nil, &Value::Byte(number))),
            Value::List(list) => {
                let mut places = (0..).map(Value::Int).zip(list.values());
                places.try_for_each(|(index, element)| turn(self, index, element))
            }
            Value::Map(map) => {
                let mut entries = map.entries.iter();
                entries.try_for_each(|(key, element)| turn(self, Value::Text(key.clone()), element))
            }
            Value::Nil => Ok(()),
            Value::Bool(_) | Value::Float(_) | Value::Text(_) | Value::Struct(_) => {
                let shown = print::shown(&value, self.budget.room()).unwrap_or_default();
                let shown = String::from_utf8_lossy(&shown);
                Err(self.fail(format!("range can't iterate over {shown}")))
            }
        };
        match (done, &branch.otherwise) {
            (Err(Stop::Break), _) => Ok(()),
            (Ok(()), Some(otherwise)) if turns == 0 => self.list(dot, otherwise),
            (done, _) => done,
        }
    }

    /// One turn: the names get their values, the element is the dot.
    fn turn(&mut self, branch: &'t Branch, index: Value, element: &Value) -> Result<(), Stop> {
        self.spend(1)?;
        let values = match branch.pipe.variables.len() {
            0 => [None, None],
            1 => [None, Some(element.clone())],
            _ => [Some(index), Some(element.clone())],
        };
        let values = values.into_iter().flatten();
        match branch.pipe.naming {
            Naming::Known => {
                for (name, value) in branch.pipe.variables.iter().zip(values) {
                    self.assign(name, value)?;
                }
            }
            // The pipeline declared them last of all.
            Naming::New => {
                let first = self.variables.len() - branch.pipe.variables.len();
                for ((_, variable), value) in self.variables[first..].iter_mut().zip(values) {
                    *variable = value;
                }
            }
        }
        match self.list(element, &branch.list) {
            Err(Stop::Continue) => Ok(()),
            done => done,
        }
    }
}
