import { z } from 'zod';
import { pageQuerySchema } from './page.ts';

const time = z.iso.datetime({ precision: 3 });

/** The form of `POST /uploads`: the first file counts, whatever its field is called. */
export const uploadFormSchema = z
  .object({
    file: z.string().meta({ format: 'binary' }).describe('A lesson: .md, .markdown or .txt, in UTF-8'),
  })
  .meta({ id: 'UploadForm' });

export const uploadSchema = z
  .object({
    id: z.string(),
    md: z.string().describe('What `POST /jobs` takes as `md`'),
    url: z.string().describe('Where its owner gets it back'),
    originalFilename: z.string(),
    sanitizedFilename: z.string(),
    fileSize: z.int().describe('Bytes'),
    mimeType: z.string(),
    storageProvider: z.string(),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Upload' });
export type UploadDto = z.infer<typeof uploadSchema>;

export const userFileSchema = z
  .object({
    id: z.string(),
    filename: z.string(),
    originalFilename: z.string(),
    fileSize: z.int(),
    mimeType: z.string(),
    uploadedAt: time,
    md: z.string(),
  })
  .meta({ id: 'UserFile' });
export const userFilesSchema = z
  .object({ files: z.array(userFileSchema), total: z.int(), nextCursor: z.string().nullable() })
  .meta({ id: 'UserFiles' });

export const listFilesQuerySchema = pageQuerySchema.extend({
  cursor: z.uuid().optional().describe('`nextCursor` of the page before'),
});
