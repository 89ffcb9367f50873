"""What is measured: losses, bindings, domains, cases, inputs, the catalogue and the plan of a run. numpy only."""
