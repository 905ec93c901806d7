"""Labs in Linux namespaces: no engine, no image, rootless where the kernel permits."""
