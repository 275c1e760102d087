import ipaddr from 'ipaddr.js';

/**
 * Public by number, private by use: Azure's platform answers every virtual machine there
 * (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
 */
const METADATA = new Set(['168.63.129.16']);

/** Everything that is routed as the IPv6 internet today (IANA, IPv6 Global Unicast Address Assignments). */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Whether an IP address is one of the open internet. Private, loopback, link-local (cloud metadata among them), shared,
 * multicast and reserved ones are not, nor any that wraps an IPv4 address (NAT64, 6to4, Teredo): where those lead is
 * decided elsewhere. What is no address is not public.
 */
export const isPublicAddress = (text: string): boolean => {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  if (address.range() !== 'unicast' || METADATA.has(address.toString())) return false;
  return address instanceof ipaddr.IPv4 || address.match(GLOBAL_UNICAST);
};
