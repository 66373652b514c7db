import { BlockList } from 'node:net';

/**
 * Networks that are not the public internet: the special-purpose registries of IANA (RFC 6890 and its updates), multicast, and addresses
 * that carry an IPv4 address inside, which a gateway would unpack. The metadata services of clouds are in 169.254.0.0/16, fd00::/8 and
 * 100.64.0.0/10. IPv4 addresses in their IPv6 form (::ffff:0:0/96) are held against the IPv4 rows by Node itself.
 */
const PRIVATE: readonly (readonly [network: string, prefix: number, why: string])[] = [
  ['0.0.0.0', 8, 'this network'],
  ['10.0.0.0', 8, 'private use'],
  ['100.64.0.0', 10, 'shared by a carrier'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'link-local, metadata'],
  ['172.16.0.0', 12, 'private use'],
  ['192.0.0.0', 24, 'protocol assignments'],
  ['192.0.2.0', 24, 'documentation'],
  ['192.88.99.0', 24, '6to4 relays'],
  ['192.168.0.0', 16, 'private use'],
  ['198.18.0.0', 15, 'benchmarks'],
  ['198.51.100.0', 24, 'documentation'],
  ['203.0.113.0', 24, 'documentation'],
  ['224.0.0.0', 4, 'multicast'],
  ['240.0.0.0', 4, 'reserved, broadcast'],
  ['::', 96, 'unspecified, loopback, IPv4-compatible'],
  ['64:ff9b::', 96, 'NAT64'],
  ['64:ff9b:1::', 48, 'NAT64 inside a network'],
  ['100::', 64, 'discard'],
  ['2001::', 23, 'protocol assignments, Teredo'],
  ['2001:db8::', 32, 'documentation'],
  ['2002::', 16, '6to4'],
  ['3fff::', 20, 'documentation'],
  ['5f00::', 16, 'segment routing'],
  ['fc00::', 7, 'private use, metadata'],
  ['fe80::', 10, 'link-local'],
  ['fec0::', 10, 'site-local'],
  ['ff00::', 8, 'multicast'],
];

/** The list that sockets are given which may connect to the public internet only. */
export function privateAddresses(): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of PRIVATE) list.addSubnet(network, prefix, network.includes(':') ? 'ipv6' : 'ipv4');
  return list;
}
