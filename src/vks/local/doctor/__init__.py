"""Says what a machine lacks for a local region, and installs what apt can."""

from vks.local.doctor.checks import Finding, examine, lacking
from vks.local.doctor.packages import install_packages

__all__ = ["Finding", "examine", "install_packages", "lacking"]
