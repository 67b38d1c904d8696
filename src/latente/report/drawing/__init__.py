"""Drawing: what goes inside one panel, by subject; :mod:`latente.report.figures` puts panels together."""
