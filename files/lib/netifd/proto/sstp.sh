#!/bin/sh
# netifd's handler for interfaces with option proto 'sstp'. It hands netifd's JSON to the daemon in its environment, where
# other users cannot see it, and nothing else: what the options mean, when to try again and what to tell netifd is the
# daemon's business. (On its way here it is on command lines for a moment: so netifd starts every protocol's handler.)

[ "$2" = dump ] && [ ! -x /usr/sbin/sstp ] && exit 0 # no such protocol without the daemon

[ -n "$INCLUDE_ONLY" ] || {
	. /lib/functions.sh
	. ../netifd-proto.sh
	init_proto "$@"
}

# All options are text or lists of text: what netifd cannot read as a number or a boolean it drops without a word.
# defaultroute, peerdns, metric and the like are netifd's own and must not stand here, or a change of theirs would
# end the tunnel.
proto_sstp_init_config() {
	available=1
	no_device=1
	lasterror=1
	renew_handler=1
	for option in port username password verify insecure_login ca_cert server_name sni cert key tls_min tls_legacy path_secret proxy tunlink \
		mtu ipv6 keepalive hold authfail maxfail ktls offload congestion log_level sstp_options pppd_options; do
		proto_config_add_string "$option"
	done
	for option in server auth cert_pin; do
		proto_config_add_array "$option"
	done
}

proto_sstp_setup() {
	proto_export "SSTP_CONFIG=$data"
	proto_export "SSTP_PARENT=$PPID"
	# Where netifd does not take this, the program ubus prints all of it, with the password, for netifd to log.
	proto_run_command "$1" /usr/sbin/sstp daemon "$1" 2>/dev/null
}

proto_sstp_renew() {
	proto_kill_command "$1" 1 # SIGHUP: dial anew
}

# When the daemon exits for good, it has told netifd why and to leave the interface down. 3 says that it gave up, as options
# authfail and maxfail want it, or because of the interface's name; 127 is netifd, which could not start it.
proto_sstp_teardown() {
	[ "$ERROR" = 127 ] && proto_notify_error "$1" INVALID_OPTIONS "The program /usr/sbin/sstp cannot be started." "Install the package sstp again."
	case "$ERROR" in
	3 | 127) proto_block_restart "$1" ;;
	esac
	proto_kill_command "$1"
}

[ -n "$INCLUDE_ONLY" ] || add_protocol sstp
