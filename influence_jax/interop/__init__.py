"""Our games under the interfaces of other packages; each module needs the package of its name."""
