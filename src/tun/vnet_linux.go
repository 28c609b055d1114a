package tun

import "golang.org/x/sys/unix"

func openVnet(name string) (*Device, error) { return nil, unix.ENOTSUP }
