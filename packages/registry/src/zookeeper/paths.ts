import type { ZkPath } from './types.js';

/** The node above; the root is its own parent. */
export function parentOf(path: ZkPath): ZkPath {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : (path.slice(0, slash) as ZkPath);
}

export function baseName(path: ZkPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function childPath(parent: ZkPath, name: string): ZkPath {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

/** `path` below a chroot; an empty chroot changes nothing. */
export function addChroot(chroot: ZkPath | '', path: ZkPath): ZkPath {
  if (chroot === '') return path;
  return path === '/' ? chroot : `${chroot}${path}`;
}

/** The inverse of `addChroot`, for paths that a server returns. */
export function removeChroot(chroot: ZkPath | '', path: ZkPath): ZkPath {
  if (chroot === '' || !(path === chroot || path.startsWith(`${chroot}/`))) return path;
  return path === chroot ? '/' : (path.slice(chroot.length) as ZkPath);
}

/** True when ZooKeeper made `child` by appending a sequence number to `prefix`. */
export function isSequenced(child: string, prefix: string): boolean {
  // Ten digits; past 2^31 the counter turns negative and has a sign.
  return child.startsWith(prefix) && /^-?\d{10}$/.test(child.slice(prefix.length));
}
