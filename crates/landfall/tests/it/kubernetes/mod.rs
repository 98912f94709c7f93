//! Journeys through a Kubernetes API server: landfall takes its resources from there, and writes there what it has to say.

mod annotations;
mod cluster;
mod controller;
mod delivery;
mod early;
mod fan_out;
mod image_updater;
mod kargo;
mod load;
mod looks;
mod outage;
mod poison;
mod readers;
mod receivers;
mod refusals;
mod replicas;
mod rights;
mod secret;
