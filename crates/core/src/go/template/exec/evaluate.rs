//! Evaluates pipelines, commands and operands to values.

use super::{Execution, Stop, Value};
use crate::go::template::function::{Function, Parameter};
use crate::go::template::node::{Command, Naming, Number, Operand, OperandKind, Pipe};
use crate::go::template::show::Place;

/// What is given to the first operand of a command.
struct Given<'t> {
    arguments: &'t [Operand],
    /// What the command before in the pipeline yields.
    last: Option<Value>,
}

impl Given<'_> {
    const NOTHING: Self = Self {
        arguments: &[],
        last: None,
    };

    fn is_nothing(&self) -> bool {
        self.arguments.is_empty() && self.last.is_none()
    }
}

impl<'t> Execution<'t> {
    /// The value of a pipeline, which gets the names that the pipeline gives it.
    pub(super) fn pipeline(&mut self, dot: &Value, pipe: &'t Pipe) -> Result<Value, Stop> {
        self.at = Some(pipe);
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(dot, command, last)?);
        }
        let value = last.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            match pipe.naming {
                Naming::Known => self.assign(name, value.clone())?,
                Naming::New => self.variables.push((name, value.clone())),
            }
        }
        Ok(value)
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) -> Result<(), Stop> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, variable)) => {
                *variable = value;
                Ok(())
            }
            None => Err(self.fail(format!("undefined variable: {name}"))),
        }
    }

    fn command(&mut self, dot: &Value, command: &'t Command, last: Option<Value>) -> Result<Value, Stop> {
        self.spend(1)?;
        let given = Given {
            arguments: &command.arguments,
            last,
        };
        self.operand(dot, &command.first, command, given)
    }

    /// The value of the first operand of `command`, with what is given to it.
    fn operand(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        command: &'t dyn Place,
        given: Given<'t>,
    ) -> Result<Value, Stop> {
        if !matches!(operand.kind, OperandKind::Pipe(_)) {
            self.at = Some(operand);
        }
        match &operand.kind {
            OperandKind::Field(fields) => self.fields(dot.clone(), fields, given),
            OperandKind::Chain { of, fields } => {
                if matches!(of.kind, OperandKind::Nil) {
                    return Err(self.fail(format!("indirection through explicit nil in {operand}")));
                }
                let value = self.argument(dot, of)?;
                self.fields(value, fields, given)
            }
            OperandKind::Variable { name, fields } => {
                let value = self.variable(name)?;
                match fields.is_empty() {
                    true => self.no_function(operand, &given).map(|()| value),
                    false => self.fields(value, fields, given),
                }
            }
            OperandKind::Function(function) => self.function(dot, *function, command, given),
            OperandKind::Pipe(pipe) => {
                self.no_function(operand, &given)?;
                self.deeper(|execution| execution.pipeline(dot, pipe))
            }
            OperandKind::Dot => self.no_function(operand, &given).map(|()| dot.clone()),
            OperandKind::Nil => {
                self.no_function(operand, &given)?;
                Err(self.fail("nil is not a command"))
            }
            OperandKind::Bool(value) => self.no_function(operand, &given).map(|()| Value::Bool(*value)),
            OperandKind::Number { text, number } => {
                self.no_function(operand, &given)?;
                self.number(text, *number)
            }
            OperandKind::Text { text, .. } => self.no_function(operand, &given).map(|()| Value::text(text)),
        }
    }

    fn no_function(&self, operand: &Operand, given: &Given<'_>) -> Result<(), Stop> {
        match given.is_nothing() {
            true => Ok(()),
            false => Err(self.fail(format!("can't give argument to non-function {operand}"))),
        }
    }

    fn number(&self, text: &str, number: Number) -> Result<Value, Stop> {
        match number {
            Number::Int(number) => Ok(Value::Int(number)),
            Number::Float(number) => Ok(Value::Float(number)),
            Number::TooLarge => Err(self.fail(format!("{text} overflows int"))),
        }
    }

    fn variable(&self, name: &str) -> Result<Value, Stop> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => Err(self.fail(format!("undefined variable: {name}"))),
        }
    }

    fn fields(&mut self, of: Value, fields: &[String], given: Given<'_>) -> Result<Value, Stop> {
        let mut value = of;
        for (index, name) in fields.iter().enumerate() {
            self.spend(1)?;
            let is_last = index + 1 == fields.len();
            value = self.field(&value, name, is_last && !given.is_nothing())?;
        }
        Ok(value)
    }

    fn field(&self, of: &Value, name: &str, has_arguments: bool) -> Result<Value, Stop> {
        let found = match of {
            Value::Nil => return Ok(Value::Nil),
            Value::Struct(value) => value.field(name),
            Value::Map(_) if has_arguments => {
                return Err(self.fail(format!("{name} is not a method but has arguments")));
            }
            Value::Map(map) => return Ok(map.entries.get(name.as_bytes()).cloned().unwrap_or(Value::Nil)),
            _ => None,
        };
        match found {
            Some(_) if has_arguments => {
                Err(self.fail(format!("{name} has arguments but cannot be invoked as function")))
            }
            Some(value) => Ok(value.clone()),
            None => Err(self.fail(format!("can't evaluate field {name} in type {}", of.type_name()))),
        }
    }

    fn function(
        &mut self,
        dot: &Value,
        function: Function,
        command: &'t dyn Place,
        given: Given<'t>,
    ) -> Result<Value, Stop> {
        let Given { arguments, last } = given;
        let count = arguments.len() + usize::from(last.is_some());
        if let Err(problem) = function.takes(arguments.len(), count) {
            return Err(self.fail(problem));
        }
        if let Some(wanted) = function.ends_with() {
            return self.first_that_is(wanted, dot, arguments, last);
        }
        let mut values = Vec::with_capacity(count);
        for argument in arguments {
            let value = match function.parameter(values.len()) {
                Parameter::Any => self.argument(dot, argument)?,
                Parameter::Text => self.text_argument(dot, argument)?,
            };
            values.push(value);
        }
        if let Some(last) = last {
            if function.parameter(values.len()) == Parameter::Text {
                self.must_be_text(&last)?;
            }
            values.push(last);
        }
        let callee = arguments.first().map(ToString::to_string);
        function.call(callee, &values, &mut self.budget).map_err(|problem| {
            self.at = Some(command);
            self.fail(format!("error calling {}: {problem}", function.name()))
        })
    }

    /// What `and` and `or` yield: the first argument of the wanted truth, or else the last; what follows it is not evaluated.
    fn first_that_is(
        &mut self,
        wanted: bool,
        dot: &Value,
        arguments: &'t [Operand],
        last: Option<Value>,
    ) -> Result<Value, Stop> {
        let mut value = Value::Nil;
        for argument in arguments {
            value = self.argument(dot, argument)?;
            if value.is_true() == wanted {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    fn argument(&mut self, dot: &Value, operand: &'t Operand) -> Result<Value, Stop> {
        self.spend(1)?;
        self.at = Some(operand);
        match operand.kind {
            OperandKind::Nil => Ok(Value::Nil),
            _ => self.operand(dot, operand, operand, Given::NOTHING),
        }
    }

    /// An argument that must be a text: `printf`'s format.
    fn text_argument(&mut self, dot: &Value, operand: &'t Operand) -> Result<Value, Stop> {
        self.at = Some(operand);
        match &operand.kind {
            OperandKind::Nil => Err(self.fail("cannot assign nil to string")),
            OperandKind::Bool(_) | OperandKind::Number { .. } => {
                Err(self.fail(format!("expected string; found {operand}")))
            }
            _ => {
                let value = self.argument(dot, operand)?;
                self.must_be_text(&value)?;
                Ok(value)
            }
        }
    }

    fn must_be_text(&self, value: &Value) -> Result<(), Stop> {
        match value {
            Value::Text(_) => Ok(()),
            Value::Nil => Err(self.fail("invalid value; expected string")),
            value => Err(self.fail(format!(
                "wrong type for value; expected string; got {}",
                value.type_name()
            ))),
        }
    }
}
