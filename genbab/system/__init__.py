"""What a process has to do with its machine: files, time limits, devices, who is alive."""
