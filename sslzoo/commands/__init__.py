"""The commands of `sslzoo`, one file each."""
